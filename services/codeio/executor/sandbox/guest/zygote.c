/* Forks one child per job from a warm interpreter, and confines it.
 *
 * It is in C because of what it does not do: touch memory. gVisor copies two
 * megabytes for each page that parent or child writes to while both are there,
 * at 1.7 ms apiece, and the same steps in Python write to pages all over the
 * interpreter. What is done here writes to the stack alone.
 *
 * Python's own handlers for a fork are left out as well. They serve programs
 * with several threads; the interpreter has one, which holds the lock.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMESPACES (CLONE_NEWPID | CLONE_NEWIPC)

/* What keeps a child apart, beside what it inherits; prepared by isolation.py. */
struct confinement {
    int namespaces;         /* whether it has some of its own */
    int mounts;             /* and among them one of file systems */
    rlim_t processes;       /* how many, with threads, it may be */
    const char *scratch;    /* options of the file system mounted on /tmp for it */
    struct sock_fprog filter;
};

/* Return 0, or the number of the step that failed. */
static int confine(const struct confinement *rules)
{
    if (rules->mounts) {
        if (unshare(CLONE_NEWNS))
            return 1;
        if (mount("scratch", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, rules->scratch))
            return 2;
        /* It is to see its own processes there and no others. */
        if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0))
            return 3;
        if (chdir("/tmp"))
            return 4;
    }
    struct rlimit processes = {rules->processes, rules->processes};
    if (setrlimit(RLIMIT_NPROC, &processes))
        return 5;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    if (syscall(SYS_capset, &header, none))
        return 6;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
        return 7;
    if (rules->filter.len && prctl(PR_SET_SECCOMP, 2, &rules->filter, 0, 0))
        return 8;
    return 0;
}

/* Fork, with namespaces for the child alone. */
static pid_t fork_apart(const struct confinement *rules)
{
    if (rules->namespaces && unshare(NAMESPACES))
        return -1;
    return _Fork();
}

static int wait_for(pid_t pid, struct rusage *usage)
{
    int ended = 0;
    while (wait4(pid, &ended, 0, usage) < 0 && errno == EINTR)
        ;
    return ended;
}

/* Confine a child for a try; return 0, or the number of the step that failed. */
int try_out(const struct confinement *rules)
{
    struct rusage usage;
    pid_t pid = fork_apart(rules);
    if (pid == 0)
        _exit(confine(rules));
    return pid < 0 ? 100 : WEXITSTATUS(wait_for(pid, &usage));
}

/* Fork a child for each byte that comes on `wake`, and write how it ended,
 * "<status> <peak memory in KiB>\n", to `status`.
 *
 * Returns 1 in a child, confined; 0 when `wake` is at its end, or broken.
 */
int serve(int wake, int status, const struct confinement *rules)
{
    char byte, line[64];
    while (read(wake, &byte, 1) == 1) {
        pid_t pid = fork_apart(rules);
        if (pid == 0) {
            int failed = confine(rules);
            if (failed)
                _exit(failed);
            return 1;
        }
        if (pid < 0)
            return 0;
        struct rusage usage;
        /* It was process 1 of its pid namespace: its descendants went with it. */
        int ended = wait_for(pid, &usage);
        int size = snprintf(line, sizeof line, "%d %ld\n", ended, usage.ru_maxrss);
        if (write(status, line, size) != size)
            return 0;
    }
    return 0;
}
