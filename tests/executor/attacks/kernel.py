"""Ways out through the kernel: the network, file systems, rarely used system calls."""

from __future__ import annotations

from codeio.v1.execution_pb2 import Outcome
from tests.executor.attacks.attack import SYSCALLS, Attack

NETWORK = (
    Attack(
        "opens a connection",
        """
        import socket
        def main_solution(a):
            socket.create_connection(('127.0.0.1', 80), timeout=1)
        """,
        Outcome.OUTCOME_RAISED,
        effects=("network",),
    ),
    Attack(
        "reaches out in every family of addresses",
        """
        def reach(family, kind, address, protocol=0):
            with socket.socket(family, kind, protocol) as it:
                it.settimeout(0.3)
                it.connect(address)
                it.send(b'x')
        def main_solution(a):
            S, D, R = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW
            return succeed(
                tcp=lambda: reach(socket.AF_INET, S, ('8.8.8.8', 53)),
                udp=lambda: reach(socket.AF_INET, D, ('8.8.8.8', 53)),
                metadata=lambda: reach(socket.AF_INET, S, ('169.254.169.254', 80)),
                tcp6=lambda: reach(socket.AF_INET6, S, ('2001:4860:4860::8888', 53)),
                udp6=lambda: reach(socket.AF_INET6, D, ('2001:4860:4860::8888', 53)),
                raw=lambda: reach(socket.AF_INET, R, ('8.8.8.8', 0), 1),
                unix=lambda: reach(socket.AF_UNIX, S, '/var/run/docker.sock'),
                # The test listens there, on the host.
                abstract=lambda: reach(socket.AF_UNIX, S, '\\0codeio-canary'),
                vsock=lambda: reach(40, S, (2, 1024)),
            )
        """,
        Outcome.OUTCOME_OK,
        output="[]",
        effects=("network",),
        begins_with=SYSCALLS,
    ),
    Attack(
        "opens sockets below the protocols",
        """
        def main_solution(a):
            return succeed(
                raw=lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).fileno(),
                packet=lambda: socket.socket(17, socket.SOCK_RAW, 0x300).fileno(),
                vsock=lambda: socket.socket(40, socket.SOCK_STREAM).fileno(),
                crypto=lambda: socket.socket(38, 5, 0).fileno(),
                audit=lambda: socket.socket(16, socket.SOCK_RAW, 9).fileno(),
            )
        """,
        Outcome.OUTCOME_OK,
        output="[]",
        effects=("network",),
        begins_with=SYSCALLS,
    ),
    Attack(
        "lists the interfaces of the host",
        """
        import socket
        def main_solution(a):
            return [name for _, name in socket.if_nameindex() if name != 'lo']
        """,
        Outcome.OUTCOME_OK,
        output="[]",
    ),
    Attack(
        "asks for a name",
        "import socket\ndef main_solution(a):\n    return socket.gethostbyname('example.com')\n",
        Outcome.OUTCOME_RAISED,
        error_type="gaierror",
        effects=("network",),
    ),
)

FILES = (
    Attack(
        "links its way out of scratch",
        """
        def main_solution(a):
            os.symlink('/', 'root')
            os.symlink('/codeio/child.py', 'child')
            os.symlink('loop', 'loop')
            return succeed(
                hard=lambda: os.link('/codeio/child.py', 'hard'),
                packages=lambda: os.link('/zygote.so', 'zygote'),
                through=lambda: open('root/codeio/left', 'w').close(),
                child=lambda: open('child', 'a').close(),
                loop=lambda: open('loop').close(),
                rename=lambda: os.rename('/codeio', '/tmp/codeio'),
                dots=lambda: open('../left', 'w').close(),
            )
        """,
        Outcome.OUTCOME_OK,
        output="[]",
        effects=("file:write",),
        begins_with=SYSCALLS,
    ),
    Attack(
        "writes to the guest's own files",
        """
        def main_solution(a):
            targets = ['/codeio/child.py', '/codeio/init.py', '/zygote.so', '/usr/bin/python3',
                       '/proc/sys/kernel/hostname', '/proc/1/oom_score_adj', '/proc/sysrq-trigger',
                       '/sys/kernel/x']
            done = [t for t in targets if succeed(it=lambda: open(t, 'r+').write('1'))]
            for place in ('/codeio', '/packages', '/usr', '/lib', '/', '/dev', '/proc'):
                done += succeed(
                    **{f'in {place}': lambda: open(f'{place}/left', 'w').close(),
                       f'mode {place}': lambda: os.chmod(place, 0o777),
                       f'owner {place}': lambda: os.chown(place, 65534, 65534)},
                )
            # The mode of what belongs to nobody but it changes nothing for others.
            return [name for name in done if name != '/proc/1/oom_score_adj']
        """,
        Outcome.OUTCOME_OK,
        output="[]",
        effects=("file:write",),
        begins_with=SYSCALLS,
    ),
    Attack(
        "puts something else in the place of scratch",
        """
        def main_solution(a):
            return succeed(
                remove=lambda: os.rmdir('/tmp'),
                rename=lambda: os.rename('/tmp', '/tmp2'),
                link=lambda: os.symlink('/', '/tmp'),
                exchange=lambda: syscall(316, -100, b'/tmp', -100, b'/codeio', 2),
                mode=lambda: os.chmod('/', 0o777),
                node=lambda: os.mknod('device', 0o600 | 0o060000, os.makedev(8, 0)),
                memory=lambda: os.mknod('memory', 0o600 | 0o020000, os.makedev(1, 1)),
            )
        """,
        Outcome.OUTCOME_OK,
        output="[]",
        effects=("file:write",),
        begins_with=SYSCALLS,
    ),
    Attack(
        "leaves scratch by links that the kernel makes",
        """
        def main_solution(a):
            places = [f'/proc/{pid}/{name}' for pid in ('self', '1', 'thread-self')
                      for name in ('root/codeio', 'cwd/../codeio', 'root/usr', 'cwd/../packages')]
            places += [f'/proc/self/fd/{os.open("/", os.O_RDONLY)}/codeio']
            done = []
            for place in places:
                done += succeed(
                    **{f'in {place}': lambda: open(f'{place}/left', 'w').close(),
                       f'mode {place}': lambda: os.chmod(place, 0o777)},
                )
            return done
        """,
        Outcome.OUTCOME_OK,
        output="[]",
        effects=("file:write",),
        begins_with=SYSCALLS,
    ),
    Attack(
        "changes what is mounted",
        """
        REMOUNT, BIND = 0x20, 0x1000
        def main_solution(a):
            os.mkdir('x')
            return succeed(
                remount=lambda: syscall(165, 0, b'/codeio', 0, REMOUNT | BIND, 0),
                root=lambda: syscall(165, 0, b'/', 0, REMOUNT, 0),
                bind=lambda: syscall(165, b'/codeio', b'/tmp/x', 0, BIND, 0),
                tmpfs=lambda: syscall(165, b'x', b'/tmp/x', b'tmpfs', 0, 0),
                proc=lambda: syscall(165, b'x', b'/tmp/x', b'proc', 0, 0),
                umount=lambda: syscall(166, b'/tmp', 2),
                umount_proc=lambda: syscall(166, b'/proc', 2),
                chroot=lambda: syscall(161, b'/tmp/x'),
                pivot=lambda: syscall(155, b'/tmp', b'/tmp/x'),
                open_tree=lambda: syscall(428, -100, b'/', 1),
                fsopen=lambda: syscall(430, b'tmpfs', 0),
                fsmount=lambda: syscall(432, 0, 0, 0),
            )
        """,
        Outcome.OUTCOME_OK,
        output="[]",
        begins_with=SYSCALLS,
    ),
    Attack(
        "enters other namespaces",
        """
        def main_solution(a):
            kinds = {'mnt': 0x20000, 'user': 0x10000000, 'pid': 0x20000000, 'net': 0x40000000,
                     'ipc': 0x8000000, 'uts': 0x4000000}
            done = succeed(
                **{f'unshare {name}': lambda: syscall(272, flag) for name, flag in ()},
                sethostname=lambda: socket.sethostname('left'),
                setuid=lambda: os.setuid(1),
                setgroups=lambda: os.setgroups([1]),
            )
            for name, flag in kinds.items():
                done += succeed(**{f'unshare {name}': lambda: syscall(272, flag)})
                try:
                    fd = os.open(f'/proc/self/ns/{name}', os.O_RDONLY)
                except OSError:
                    continue
                done += succeed(**{f'setns {name}': lambda: syscall(308, fd, flag)})
            return done
        """,
        Outcome.OUTCOME_OK,
        output="[]",
        begins_with=SYSCALLS,
    ),
    *(
        Attack(
            f"starts a thread in {name} of its own",
            f"""
            THREAD = 0x10000 | 0x800 | 0x100  # with its handlers and its memory
            def main_solution(a):
                # It would return to nowhere.
                stack = ctypes.create_string_buffer(1 << 16)
                top = ctypes.addressof(stack) + (1 << 15)
                return syscall(56, THREAD | {flag}, top, 0, 0, 0) < 0
            """,
            Outcome.OUTCOME_OK,
            output="true",
            begins_with=SYSCALLS,
        )
        for name, flag in (
            ("mounts", 0x20000),
            ("users", 0x10000000),
            ("processes", 0x20000000),
            ("networks", 0x40000000),
            ("messages", 0x8000000),
            ("names", 0x4000000),
            ("resources", 0x2000000),
        )
    ),
    Attack(
        "gets itself privileges",
        """
        def main_solution(a):
            status = open('/proc/self/status').read()
            held = [line for line in status.splitlines()
                    if line.startswith(('CapEff', 'CapPrm', 'CapAmb', 'CapInh'))
                    and int(line.split()[1], 16)]
            header = (ctypes.c_uint32 * 2)(0x20080522, 0)
            every = (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)
            return held + succeed(
                capset=lambda: syscall(126, header, every),
                new_privileges=lambda: syscall(157, 38, 0, 0, 0, 0),
                nice=lambda: os.nice(-5),
            )
        """,
        Outcome.OUTCOME_OK,
        output="[]",
        begins_with=SYSCALLS,
    ),
)

CALLS = (
    Attack(
        "makes system calls that no program needs",
        """
        def main_solution(a):
            attribute = bytes(128)
            return succeed(
                bpf=lambda: syscall(321, 0, attribute, 128),
                perf_event_open=lambda: syscall(298, b'\\1' + attribute, 0, -1, -1, 0),
                userfaultfd=lambda: syscall(323, 0),
                init_module=lambda: syscall(175, attribute, 128, b''),
                kexec_load=lambda: syscall(246, 0, 0, 0, 0),
                reboot=lambda: syscall(169, 0xFEE1DEAD, 672274793, 0, 0),
                swapon=lambda: syscall(167, b'/tmp/x', 0),
                iopl=lambda: syscall(172, 3),
                settimeofday=lambda: syscall(164, attribute, 0),
                clock_settime=lambda: syscall(227, 0, attribute),
                acct=lambda: syscall(163, b'/tmp/x'),
                quotactl=lambda: syscall(179, 0, 0, 0, 0),
                open_by_handle_at=lambda: syscall(304, -100, attribute, 0),
                fanotify_init=lambda: syscall(300, 0, 0),
                add_key=lambda: syscall(248, b'user', b'left', b'x', 1, -3),
                request_key=lambda: syscall(249, b'user', b'left', 0, -3),
                memfd_create=lambda: syscall(319, b'x', 0),
                memfd_secret=lambda: syscall(447, 0),
                mq_open=lambda: syscall(240, b'left', 0o102, 0o600, 0),
                pidfd_getfd=lambda: syscall(438, 3, 0, 0),
                process_madvise=lambda: syscall(440, 3, attribute, 1, 4, 0),
                name_to_handle_at=lambda: syscall(303, -100, b'/', attribute, attribute, 0),
                migrate_pages=lambda: syscall(256, 0, 8, attribute, attribute),
                vm86=lambda: syscall(154, 0, 0, 1),
                lookup_dcookie=lambda: syscall(212, 1, attribute, 128),
                vhangup=lambda: syscall(153),
                io_uring_setup=lambda: syscall(425, 8, ctypes.create_string_buffer(200)),
                kcmp=lambda: syscall(312, 1, 2, 0, 0, 0),
                landlock=lambda: syscall(444, attribute, 8, 0),
                personality_i386=lambda: syscall(0x40000000 | 57),
            )
        """,
        Outcome.OUTCOME_OK,
        output="[]",
        begins_with=SYSCALLS,
    ),
    Attack(
        "runs code of its own making",
        # Machine code is no way out: what it asks the kernel for is filtered all the same.
        """
        import mmap
        def main_solution(a):
            code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
            # mov eax, 57 (fork); syscall; ret
            code.write(bytes.fromhex('b8390000000f05c3'))
            place = ctypes.addressof(ctypes.c_char.from_buffer(code))
            return ctypes.CFUNCTYPE(ctypes.c_int)(place)()
        """,
        Outcome.OUTCOME_OK,
        output="-1",
        begins_with=SYSCALLS,
    ),
    Attack(
        "makes system calls of another architecture",
        """
        import mmap
        def main_solution(a):
            code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
            # push rbx; mov eax, 2 (fork of 32 bits); int 0x80; pop rbx; ret
            code.write(bytes.fromhex('53b802000000cd805bc3'))
            place = ctypes.addressof(ctypes.c_char.from_buffer(code))
            forked = ctypes.CFUNCTYPE(ctypes.c_int)(place)()
            return forked
        """,
        # The filter kills it; gVisor knows no such calls at all.
        Outcome.OUTCOME_CRASHED,
        or_else=(Outcome.OUTCOME_OK,),
        begins_with=SYSCALLS,
    ),
    Attack(
        "takes off its filter",
        """
        def main_solution(a):
            allow = struct.pack('=HBBI', 6, 0, 0, 0x7FFF0000)
            program = ctypes.create_string_buffer(allow, 8)
            rule = struct.pack('HxxxxxxQ', 1, ctypes.addressof(program))
            syscall(157, 22, 2, rule, 0, 0)
            syscall(157, 22, 0, 0, 0, 0)
            return succeed(fork=lambda: syscall(57), exec=lambda: syscall(59, b'/bin/sh', 0, 0))
        """,
        Outcome.OUTCOME_OK,
        output="[]",
        begins_with=SYSCALLS,
    ),
)

ATTACKS = (*NETWORK, *FILES, *CALLS)
