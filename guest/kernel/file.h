/* SPDX-License-Identifier: MIT
 *
 * File descriptors: console, the read-only file image, pipes and event counters.
 */
#ifndef GUEST_FILE_H
#define GUEST_FILE_H

#include <stddef.h>
#include <stdint.h>

/* Takes the archive that the loader brought; size 0: no files. */
void files_init(const void *archive, size_t size);

/* For mmap: up to len bytes of the file from off, into user memory, whatever its permissions. */
int64_t file_read_at(uint64_t fd, uint64_t off, uint64_t to, uint64_t len);

/* Linux calls; results as Linux has them. */
int64_t sys_read(uint64_t fd, uint64_t buf, uint64_t n);
int64_t sys_pread(uint64_t fd, uint64_t buf, uint64_t n, uint64_t off);
int64_t sys_readv(uint64_t fd, uint64_t iov, uint64_t n);
int64_t sys_write(uint64_t fd, uint64_t buf, uint64_t n);
int64_t sys_writev(uint64_t fd, uint64_t iov, uint64_t n);
int64_t sys_openat(uint64_t dir, uint64_t path, uint64_t flags);
int64_t sys_close(uint64_t fd);
int64_t sys_lseek(uint64_t fd, uint64_t off, uint64_t whence);
int64_t sys_fstat(uint64_t fd, uint64_t st);
int64_t sys_fstatat(uint64_t dir, uint64_t path, uint64_t st, uint64_t flags);
int64_t sys_access(uint64_t dir, uint64_t path, uint64_t mode);
int64_t sys_getdents64(uint64_t fd, uint64_t buf, uint64_t n);
int64_t sys_ioctl(uint64_t fd, uint64_t what, uint64_t arg);
int64_t sys_fcntl(uint64_t fd, uint64_t what, uint64_t arg);
int64_t sys_dup(uint64_t fd, uint64_t to, uint64_t lowest);
int64_t sys_pipe2(uint64_t fds, uint64_t flags);
int64_t sys_eventfd2(uint64_t initial, uint64_t flags);
int64_t sys_getcwd(uint64_t buf, uint64_t n);

#endif
