/* test-prometheus.c - the daemon's lines as Prometheus reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/prometheus.h"

static void lines_become_text(void **state)
{
	(void)state;
	static const struct {
		const char *lines[4];
		const char *text;
	} cases[] = {
		{ { "{\"metric\":\"a\",\"kind\":\"gauge\",\"help\":\"A.\"}", "{\"value\":-3}" },
		  "# HELP a A.\n# TYPE a gauge\na -3\n" },
		{ { "{\"metric\":\"a\",\"kind\":\"gauge\",\"help\":\"back\\\\slash\\nline \\\"q\\\"\"}" },
		  "# HELP a back\\\\slash\\nline \"q\"\n# TYPE a gauge\n" },
		{ { "{\"metric\":\"b_total\",\"kind\":\"counter\",\"help\":\"B.\"}",
		    "{\"labels\":{\"x\":\"1\",\"a\":\"2\"},\"value\":9007199254740993}",
		    "{\"labels\":{\"x\":\"q\\\"b\\\\n\\n\"},\"value\":0.25}" },
		  "# HELP b_total B.\n# TYPE b_total counter\nb_total{x=\"1\",a=\"2\"} 9007199254740993\n"
		  "b_total{x=\"q\\\"b\\\\n\\n\"} 0.25\n" },
		{ { "{\"metric\":\"h\",\"kind\":\"histogram\",\"help\":\"\",\"limits\":[0.5,1]}",
		    "{\"counts\":[1,0,2],\"sum\":3.5}" },
		  "# HELP h \n# TYPE h histogram\nh_bucket{le=\"0.5\"} 1\nh_bucket{le=\"1\"} 1\n"
		  "h_bucket{le=\"+Inf\"} 3\nh_sum 3.5\nh_count 3\n" },
		{ { "{\"metric\":\"h\",\"kind\":\"histogram\",\"help\":\"\",\"limits\":[]}",
		    "{\"labels\":{\"s\":\"t\"},\"counts\":[2],\"sum\":0}" },
		  "# HELP h \n# TYPE h histogram\nh_bucket{s=\"t\",le=\"+Inf\"} 2\nh_sum{s=\"t\"} 0\n"
		  "h_count{s=\"t\"} 2\n" },
		{ { "{\"value\":1}" }, " 1\n" },	/* no daemon of ours: said as it came */
		{ { "{}", "{\"metric\":1,\"labels\":[]}", "{\"labels\":[],\"counts\":{},\"sum\":\"\"}" },
		  " 0\n# HELP  \n# TYPE  \n_sum 0\n_count 0\n" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct prometheus p;
		prometheus_init(&p);
		for (size_t k = 0; k < 4 && cases[i].lines[k] != NULL; k++) {
			json_t *object = json_loads(cases[i].lines[k], 0, NULL);
			assert_non_null(object);
			prometheus_add(&p, object);
			json_decref(object);
		}
		assert_int_equal(p.text.failed, 0);
		assert_string_equal(p.text.data, cases[i].text);
		prometheus_free(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_become_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
