/* rules.h - what checks each rule: a function each, told apart by its file. They are run by run.c in a child. */
#ifndef CONFORM_RULES_H
#define CONFORM_RULES_H

#include "conform/conform.h"

/* descriptor.c: the shared object and what it says of itself. */
void descriptor_loads(struct check *);
void descriptor_abi(struct check *);
void descriptor_name(struct check *);
void descriptor_version(struct check *);
void descriptor_summary(struct check *);
void descriptor_functions(struct check *);
void descriptor_exports(struct check *);
void descriptor_accepted(struct check *);

/* table.c: the option table. */
void table_names(struct check *);
void table_types(struct check *);
void table_choices(struct check *);
void table_limits(struct check *);
void table_defaults(struct check *);
void table_help(struct check *);
void table_common(struct check *);

/* options.c: what is written in a section. */
void options_opens(struct check *);
void options_refused(struct check *);
void options_edges(struct check *);
void options_reasons(struct check *);
void options_check(struct check *);
void options_secrets(struct check *);

/* life.c: opening and closing. */
void life_repeats(struct check *);
void life_loads(struct check *);
void life_two(struct check *);
void life_clean(struct check *);
void life_reopen(struct check *);

/* stop.c */
void stop_idle(struct check *);
void stop_full(struct check *);
void stop_commit(struct check *);
void stop_busy(struct check *);

/* source.c */
void source_runs(struct check *);
void source_emits(struct check *);
void source_commits(struct check *);
void source_pressure(struct check *);
void source_acknowledges(struct check *);
void source_refuses(struct check *);
void source_resumes(struct check *);

/* sink.c */
void sink_delivers(struct check *);
void sink_answers(struct check *);
void sink_batches(struct check *);
void sink_order(struct check *);
void sink_reasons(struct check *);
void sink_hostile(struct check *);

/* filter.c */
void filter_hostile(struct check *);
void filter_same(struct check *);
void filter_reasons(struct check *);

/* faults.c: calls of the host that fail. */
void faults_calls(struct check *);

/* process.c: what the plugin must leave alone. */
void process_streams(struct check *);
void process_descriptors(struct check *);
void process_signals(struct check *);
void process_state(struct check *);
void process_children(struct check *);

/* storm.c: signals, all the time. */
void process_storm(struct check *);

#endif
