/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

int main(int argc, char **argv)
{
	cli_setup();
	return cli_run(argc, argv);
}
