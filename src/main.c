/* SPDX-License-Identifier: MIT */
#include "base/thread.h"
#include "cli/cli.h"

int main(int argc, char **argv)
{
    thread_block_signals(); /* a SIGHUP that comes now waits for the service */
    return cli_main(argc, argv);
}
