/* plain.h - what a program that speaks no protocol is given, and what its exit status means. */
#ifndef EXEC_PLAIN_H
#define EXEC_PLAIN_H

#include "exec/process.h"

#define PLAIN_VARIABLES 8

/* An event's attributes as environment variables; ends in NULL. False: out of memory, and nothing is to be freed. */
bool plain_environment(const struct pb_event *, unsigned attempt, char *list[PLAIN_VARIABLES]);
void plain_environment_free(char *list[PLAIN_VARIABLES]);
/* A sink's answer, by sysexits.h. */
enum pb_code plain_code(const struct process_result *);

#endif
