/* main.c - the program: the commands, the daemon as one of them, and the process of a section that has one of its own. */
#include "cli/cli.h"
#include "core/daemon.h"
#include "core/host.h"

int main(int argc, char *argv[])
{
	if (host_wanted(argc, argv))
		return host_run();
	return cli_main(argc, argv, daemon_run);
}
