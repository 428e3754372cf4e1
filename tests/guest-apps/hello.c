/* SPDX-License-Identifier: MIT
 *
 * The smallest application: arguments, environment, exit status.
 */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		printf("argv[%d] = %s\n", i, argv[i]);
	printf("HELLO = %s\n", getenv("HELLO") ? getenv("HELLO") : "(unset)");
	return 7;
}
