/* crash.h - a last line before a crash ends the process: the thread, which is named after its section. */
#ifndef CRASH_H
#define CRASH_H

/* Say it on standard error when a signal such as SIGSEGV or SIGABRT ends the process; then it ends as it would have.
 * Main thread, before the others start. Leaves alone what a sanitizer or a debugger handles. */
void crash_open(void);

#endif
