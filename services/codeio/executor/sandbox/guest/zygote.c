/* Forks one child per job from a warm interpreter, and confines it.
 *
 * It is in C because of what it does not do: touch the interpreter's memory.
 * Its children work in that memory (see memory.py), and until init has put it
 * right again, nothing may be read from there; what is done here uses the
 * stack, and the data of the C library and of this file, alone.
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
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMESPACES (CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET)

#define PAGE 4096
#define MAX_AREAS 256
#define PIPE_BYTES 65536
#define REPORTS 3 /* the last descriptor of a child; see child.py */

struct area {
    char *start, *end;
};

/* What keeps a child apart, beside what it inherits; prepared by isolation.py. */
struct confinement {
    int namespaces;         /* whether it has some of its own */
    int mounts;             /* and among them one of file systems */
    rlim_t processes;       /* how many, with threads, it may be */
    const char *scratch;    /* options of the file system mounted on /tmp for it */
    struct sock_fprog filter;
};

/* Undo what an earlier child did to the open files that all children inherit:
 * text left on standard input, outputs that do not wait or hold little.
 */
static int renew_streams(void)
{
    int ends[2];
    if (pipe(ends) || dup2(ends[0], 0) < 0 || close(ends[0]) || close(ends[1]))
        return -1;
    for (int fd = 1; fd <= REPORTS; fd++)
        if (fcntl(fd, F_SETFL, 0) || fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES) < 0)
            return -1;
    return 0;
}

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

/* Wait until a child is gone with all its threads; return how it ended. */
static int wait_for(pid_t pid, struct rusage *usage)
{
    int ended = 0;
    for (;;) {
        if (wait4(pid, &ended, 0, usage) == pid) {
            if (WIFEXITED(ended) || WIFSIGNALED(ended))
                return ended;
            kill(pid, SIGKILL); /* it is traced and has stopped; it is not gone */
        } else if (errno != EINTR) {
            _exit(1); /* nothing may be put right while it may live */
        }
    }
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

/* Put areas of this process's memory into a file and map them from there, shared.
 *
 * Returns 0, or -1 with the memory as it was, or half of it moved.
 */
int share(int file, const struct area *told, int count)
{
    static char own;
    struct area areas[MAX_AREAS]; /* what was told lies in one of them */
    char *needed[] = {&own, (char *)areas, (char *)&errno};
    off_t at = 0;
    if (count > MAX_AREAS)
        return -1;
    memcpy(areas, told, count * sizeof *told);
    for (int i = 0; i < count; i++) {
        size_t size = areas[i].end - areas[i].start;
        for (int n = 0; n < 3; n++)
            if (needed[n] >= areas[i].start && needed[n] < areas[i].end)
                return -1;
        if (pwrite(file, areas[i].start, size, at) != (ssize_t)size)
            return -1;
        if (mmap(areas[i].start, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, at)
            == MAP_FAILED)
            return -1;
        at += size;
    }
    return 0;
}

/* Make memory again what it was, where it is not. */
void restore(char *memory, const char *pristine, size_t size)
{
    for (size_t page = 0; page < size; page += PAGE)
        if (memcmp(memory + page, pristine + page, PAGE))
            memcpy(memory + page, pristine + page, PAGE);
}

/* Tell on `status` how the scratch folder is made, then fork a child for each
 * byte that comes on `wake`, and write to `status` how it ended.
 *
 * Returns in a child, confined, and never in the parent: the memory that it
 * would return to may be a child's work.
 */
void serve(int wake, int status, const struct confinement *rules)
{
    char byte = rules->mounts ? '+' : '-';
    if (write(status, &byte, 1) != 1)
        _exit(1);
    while (read(wake, &byte, 1) == 1) {
        pid_t pid = fork_apart(rules);
        if (pid == 0) {
            int failed = rules->namespaces && renew_streams() ? 9 : confine(rules);
            if (failed)
                _exit(failed);
            return;
        }
        if (pid < 0)
            _exit(1);
        struct rusage usage;
        struct {
            int status;
            long peak;
        } end;
        memset(&end, 0, sizeof end);
        /* It was process 1 of its pid namespace: its descendants went with it. */
        end.status = wait_for(pid, &usage);
        end.peak = usage.ru_maxrss;
        if (write(status, &end, sizeof end) != sizeof end)
            _exit(1);
    }
    _exit(0);
}
