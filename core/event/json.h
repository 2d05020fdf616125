/*
 * json.h - events as CloudEvents 1.0 JSON (structured mode), out and in; strings and their text.
 *
 * Not json_string(): that is jansson's.
 */
#ifndef EVENT_JSON_H
#define EVENT_JSON_H

#include "base/buf.h"
#include "base/error.h"
#include "event/event.h"

/* Append the event as one CloudEvents JSON object, with no newline in it: a JSON body is `data`
 * with its line breaks made spaces and the white space around it left out, a UTF-8 text body
 * without NUL a JSON string in `data`, other bytes `data_base64`; an empty body has neither.
 * Whether the body is JSON is what the scanner says of it, unless datacontenttype names a type
 * that is not JSON (an object said to be a form is one all the same: `curl -d`). 0, -EMSGSIZE or -ENOMEM: the buffer then holds what it held before. */
int json_event(struct buf *, const struct pb_event *);
/* The same for pb_cloudevent(): 0, or -ENOMEM and `to` is as it was. */
int json_cloudevent(const struct pb_event *, struct pb_bytes *to);
/* The event in a CloudEvents JSON object: specversion 1.0, required attributes checked; `data`
 * kept byte for byte as it stands, but a `data` string under a content type that is not JSON as
 * its text. Attributes that are numbers or booleans become text; null is not set; without `time`
 * it is `now_ms`. NULL after error_add(). */
struct pb_event *json_event_parse(struct pb_span json, int64_t now_ms, struct pb_error *);
/* Append `text` as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
int json_quote(struct buf *, struct pb_span text);
/* Append the text of a valid JSON string, unescaped, \u0000 included; any other value as it is
 * written, without white space around it. 0, -EMSGSIZE or -ENOMEM. */
int json_unquote(struct buf *, struct pb_span json);
/* Does this content type say JSON? "", application/json, text/json, …+json; parameters do not
 * count. */
bool json_is_type(const char *content_type);

#endif
