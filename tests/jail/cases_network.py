"""Attacks by the network, with every address family, and by local sockets."""

from __future__ import annotations

from jail.attack import Attack, python


def connect(family: str, address: str, kind: str = "SOCK_STREAM") -> str:
    return python(f"""
with socket.socket(socket.{family}, socket.{kind}) as one:
    one.settimeout(3)
    try:
        one.connect({address})
        one.send(b"hello")
    except OSError as error:
        sys.exit(str(error))""")


HTTP = "curl --silent --max-time 3 --noproxy '*'"
OUTSIDE = "the tests may not use the network; the control shows that there are interfaces"
INTERFACE = "[[ $(ls /sys/class/net | wc -l) -gt 0 ]] && echo ESCAPED"
CASES = [
    Attack("connects to a port of this machine", connect("AF_INET", '("127.0.0.1", @TCP@)')),
    Attack("connects to a port by IPv6", connect("AF_INET6", '("::1", @TCP6@)')),
    Attack("connects to a port by a mapped address", connect("AF_INET6", '("::ffff:127.0.0.1", @TCP@)')),
    Attack("connects to a port by address 0", connect("AF_INET", '("0.0.0.0", @TCP@)')),
    Attack(
        "connects to a port by another address of loopback",
        connect("AF_INET", '("127.1.2.3", @TCP@)'),
        control=connect("AF_INET", '("127.0.0.1", @TCP@)'),
        note="the listener has one address",
    ),
    Attack(
        "sends a datagram to a port of this machine", connect("AF_INET", '("127.0.0.1", @UDP@)', "SOCK_DGRAM")
    ),
    Attack("connects to a port with bash", "exec 3<>/dev/tcp/127.0.0.1/@TCP@"),
    Attack("connects to a port with curl", f"{HTTP} http://localhost:@TCP@/"),
    Attack("asks the model server past the door", f"{HTTP} http://127.0.0.1:@SERVER@/slots && echo ESCAPED"),
    Attack(
        "scans the ports of this machine",
        python("""
for port in (@TCP@, @SERVER@, 22, 80, 631, 2375, 5432, 8080, 8081, 11434):
    with socket.socket() as one:
        one.settimeout(0.2)
        escaped(one.connect_ex(("127.0.0.1", port)) == 0)"""),
    ),
    Attack(
        "sees listeners of this machine",
        'grep -q " 0100007F:$(printf %04X @TCP@) " /proc/net/tcp && echo ESCAPED',
    ),
    Attack(
        "sees interfaces of this machine",
        "[[ $(grep -c : /proc/net/dev) == 1 ]] || echo ESCAPED",
        control=INTERFACE,
        note=OUTSIDE,
    ),
    Attack(
        "has a way to other machines",
        "grep -qv -e Iface -e '^lo' /proc/net/route && echo ESCAPED; ! timeout 2 bash -c 'exec 3<>/dev/tcp/192.0.2.1/80' || echo ESCAPED",
        control=INTERFACE,
        note=OUTSIDE,
    ),
    Attack(
        "asks for a name",
        "timeout 5 getent hosts example.com && echo ESCAPED; [[ ! -e /etc/resolv.conf ]] || echo ESCAPED",
        control="[[ -e /etc/resolv.conf ]] && echo ESCAPED",
        note=OUTSIDE,
    ),
    Attack(
        "asks for the cloud's secrets",
        "timeout 2 bash -c 'exec 3<>/dev/tcp/169.254.169.254/80' && echo ESCAPED",
        control=INTERFACE,
        note=OUTSIDE,
    ),
    Attack(
        "asks the gateway of Docker",
        "timeout 2 bash -c 'exec 3<>/dev/tcp/172.17.0.1/22' && echo ESCAPED",
        control=INTERFACE,
        note=OUTSIDE,
    ),
    Attack(
        "pings",
        "ping -c 1 -W 1 192.0.2.1 && echo ESCAPED; ping -c 1 -W 1 127.0.0.1 2>/dev/null && grep -q CapEff:.*[1-9a-f] /proc/self/status && echo ESCAPED",
        control=INTERFACE,
        note=OUTSIDE,
    ),
    Attack("connects to an abstract socket", connect("AF_UNIX", '"\\0@ABSTRACT@"')),
    Attack("sees abstract sockets", "grep -q @@ABSTRACT@ /proc/net/unix && echo ESCAPED"),
    Attack("connects to a socket's file", connect("AF_UNIX", '"@SOCKET@"')),
    Attack(
        "connects to a socket in the home",
        connect("AF_UNIX", '"@HOME@/.agent.sock"'),
        control=connect("AF_UNIX", '"@SOCKET@"'),
        note="only the name matters; the control connects to a socket that listens",
    ),
    Attack("connects through a link to a socket", "ln -s @SOCKET@ s; " + connect("AF_UNIX", '"s"')),
    Attack(
        "finds the socket of Docker",
        "ls /var/run/docker.sock /run/docker.sock && echo ESCAPED; ls /run/user /run/dbus && echo ESCAPED",
        control="ls -d /run /var/run && ls @SOCKET@ && echo ESCAPED",
        note="not every machine has one",
    ),
    Attack(
        "finds the display",
        "ls -A /tmp/.X11-unix && echo ESCAPED; [[ -z ${DISPLAY:-}${WAYLAND_DISPLAY:-}${XAUTHORITY:-} ]] || echo ESCAPED",
        control="[[ -d /tmp ]] && ls @SOCKET@ && echo ESCAPED",
        note="not every machine has one",
    ),
    Attack(
        "listens where others connect",
        python("""
import threading
server = socket.socket()
server.bind(("127.0.0.1", 18993))
server.listen()
os.system("true")
escaped(any("4A31" in line for line in open("/proc/1/net/tcp")) and os.readlink("/proc/self/ns/net") == os.environ.get("NET", os.readlink("/proc/self/ns/net")) and os.path.exists("/proc/@VICTIM@"))"""),
    ),
    Attack(
        "hears the machine's netlink",
        python("""
with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 15) as one:  # uevents
    one.bind((0, 1))
escaped(len(open("/proc/net/dev").readlines()) > 3)"""),
        control=INTERFACE,
        note=OUTSIDE,
    ),
    Attack(
        "changes the network's settings",
        "ip link set lo down && echo ESCAPED; ip addr add 10.0.0.1/8 dev lo && echo ESCAPED",
        control="unshare --user --map-root-user --net ip link set lo up && echo ESCAPED",
        note="only root of a namespace may do this",
    ),
    Attack(
        "sends through a proxy of the environment",
        "env | grep -i _proxy= | grep -v '=$' && echo ESCAPED",
        control="https_proxy=http://127.0.0.1:@TCP@ bash -c 'env | grep -qi _proxy=' && echo ESCAPED",
        note="the user of these tests has no proxy",
    ),
]
