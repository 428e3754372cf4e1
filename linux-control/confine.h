/* SPDX-License-Identifier: MIT
 *
 * After its start ixcpd gives up what it does not need: all capabilities (it stays root for the files
 * under /sys that root owns), new programs, and all system calls but those it makes.
 */
#ifndef LINUX_CONTROL_CONFINE_H
#define LINUX_CONTROL_CONFINE_H

/* 0 or -errno; *what names the step that failed. */
int confine(const char **what);

#endif
