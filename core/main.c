/* main.c - the program: the commands, and the daemon as one of them. */
#include "cli/cli.h"
#include "core/daemon.h"

int main(int argc, char *argv[])
{
	return cli_main(argc, argv, daemon_run);
}
