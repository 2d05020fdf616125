/* notify.h - sd_notify(3): tell the service manager, if there is one. */
#ifndef CORE_NOTIFY_H
#define CORE_NOTIFY_H

/* "READY=1", and so on. Main thread. */
void notify(const char *what);
/* RELOADING=1, with the time that Type=notify-reload asks for. */
void notify_reloading(void);

#endif
