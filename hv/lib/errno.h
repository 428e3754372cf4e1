/* SPDX-License-Identifier: MIT
 *
 * Error numbers, with Linux's values: functions return them negated, hypercalls hand them on.
 */
#ifndef HV_LIB_ERRNO_H
#define HV_LIB_ERRNO_H

#ifndef IX_HV
#include <errno.h>
#else
#define EPERM        1
#define ENOENT       2
#define EIO          5
#define E2BIG        7
#define EBADF        9
#define EAGAIN       11
#define ENOMEM       12
#define EACCES       13
#define EFAULT       14
#define EBUSY        16
#define EEXIST       17
#define ENODEV       19
#define EINVAL       22
#define ENOSPC       28
#define ERANGE       34
#define ENAMETOOLONG 36
#define ENOSYS       38
#define ENODATA      61
#define EPROTO       71
#define EBADMSG      74
#define EOVERFLOW    75
#define EOPNOTSUPP   95
#define ETIMEDOUT    110
#define ESTALE       116
#endif

#endif
