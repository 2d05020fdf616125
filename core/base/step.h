/*
 * step.h - the places where a crash is tried: tests/crash/steps.py kills the program at each of them.
 *
 * Only a build of the tests, with PATCHBAY_STEPS (tests/crash/step.c), does anything there; in all
 * others nothing is left of it. A name is in the sources once, literally: the test looks for it.
 */
#ifndef BASE_STEP_H
#define BASE_STEP_H

#ifdef PATCHBAY_STEPS
/* End by SIGKILL if the environment's PATCHBAY_KILL_AT is "NAME/N" and this is the N-th time here. [any thread] */
void step_reached(const char *name);
#endif

/* The program is here. `name`: "part: what was just done". [any thread] */
static inline void step_at(const char *name)
{
#ifdef PATCHBAY_STEPS
	step_reached(name);
#else
	(void)name;
#endif
}

#endif
