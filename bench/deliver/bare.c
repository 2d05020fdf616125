/*
 * bare.c - the bar for delivering: libcurl's multi handle and nothing else.
 *
 * bare URL COUNT IN_FLIGHT SIZE: POSTs COUNT bodies of SIZE bytes, IN_FLIGHT at once,
 * each easy handle used again for the next, and prints how many a second got a 2xx.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

struct run {
	CURLM *multi;
	long left, good, bad;
};

static size_t discard(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return size * n;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void begin(struct run *run, CURL *easy)
{
	if (run->left == 0)
		return;
	run->left--;
	curl_multi_add_handle(run->multi, easy);
}

static CURL *easy_new(const char *url, const char *body, long size, struct curl_slist *head)
{
	CURL *easy = curl_easy_init();
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, head);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, size);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	return easy;
}

/* True when something had ended. */
static bool collect(struct run *run)
{
	CURLMsg *message;
	int queued;
	bool any = false;
	while ((message = curl_multi_info_read(run->multi, &queued)) != NULL) {
		CURL *easy = message->easy_handle;
		any = true;
		long status = 0;
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		if (message->data.result == CURLE_OK && status / 100 == 2)
			run->good++;
		else
			run->bad++;
		curl_multi_remove_handle(run->multi, easy);
		begin(run, easy);
	}
	return any;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: %s URL COUNT IN_FLIGHT SIZE\n", argv[0]);
		return 2;
	}
	struct run run = { .left = strtol(argv[2], NULL, 10) };
	long size = strtol(argv[4], NULL, 10);
	bool running = true;
	struct curl_slist *head = curl_slist_append(NULL, "content-type: application/json");
	head = curl_slist_append(head, "webhook-id: 01900000-0000-7000-8000-000000000000");
	head = curl_slist_append(head, "webhook-timestamp: 1700000000");
	head = curl_slist_append(head, "expect:");
	char *body = malloc((size_t)size + 1);
	if (body == NULL || size < 8)
		return 1;
	memset(body, 'x', (size_t)size);
	memcpy(body, "{\"a\":\"", 6);
	memcpy(body + size - 2, "\"}", 2);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	run.multi = curl_multi_init();
	curl_multi_setopt(run.multi, CURLMOPT_MAXCONNECTS, strtol(argv[3], NULL, 10));
	double from = now();
	for (long i = strtol(argv[3], NULL, 10); i > 0; i--)
		begin(&run, easy_new(argv[1], body, size, head));
	while (running) {
		int still;
		curl_multi_perform(run.multi, &still);
		bool more = collect(&run);
		running = still > 0 || more;
		if (!more && running)
			curl_multi_poll(run.multi, NULL, 0, 1000, NULL);
	}
	printf("%.0f\n", (double)run.good / (now() - from));
	return run.bad == 0 ? 0 : 1;
}
