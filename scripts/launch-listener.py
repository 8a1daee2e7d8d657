#!/usr/bin/env python3
"""Opens listening sockets with TCP-MD5 (RFC 2385) and GTSM (RFC 5082), and hands them to a program.

  launch-listener.py [--password-file FILE] [--gtsm] ADDRESS:PORT [ADDRESS:PORT ...] -- COMMAND [ARGUMENT ...]

The sockets are descriptors 3, 4, ... of the program, in the order of the addresses. Node can set neither option on a
socket, but listens on one that has them:

  launch-listener.py --password-file peers.keys 10.0.0.254:179 -- flowfate router --config router.yaml --listen fd:3
  launch-listener.py --gtsm '[fd00:a::fe]:179' -- flowfate router --config router.yaml --listen fd:3

A line of the password file is an address or a prefix, a space, and the password of the peers there; "#" begins a
comment. Keep it readable for its owner only. With --gtsm every peer has to be one hop away: what arrives with a TTL
below 255 is dropped by the kernel. Linux only.
"""
import ipaddress
import os
import socket
import struct
import sys

TCP_MD5SIG_EXT = 32
TCP_MD5SIG_FLAG_PREFIX = 1
IP_MINTTL = 21
IPV6_MINHOPCOUNT = 73
MAX_PASSWORD_OCTETS = 80
FIRST_DESCRIPTOR = 3


def fail(sentence, status):
    sys.stderr.write(f'launch-listener: {sentence}\n')
    sys.exit(status)


def parse_target(text):
    host, colon, port = text.rpartition(':')
    try:
        return ipaddress.ip_address(host.strip('[]')), int(port)
    except ValueError:
        fail(f'"{text}" is no address with a port, like 10.0.0.254:179 or [fd00::1]:179', 2)


def read_passwords(path):
    passwords = []
    try:
        with open(path, encoding='utf-8') as lines:
            for number, line in enumerate(lines, 1):
                line = line.rstrip('\n')
                if not line.strip() or line.startswith('#'):
                    continue
                where, space, password = line.partition(' ')
                if not 1 <= len(password.encode()) <= MAX_PASSWORD_OCTETS:
                    fail(f'{path}:{number}: expected an address, a space, and 1 to 80 octets of password', 2)
                try:
                    passwords.append((ipaddress.ip_network(where, strict=False), password.encode()))
                except ValueError:
                    fail(f'{path}:{number}: "{where}" is no address and no prefix', 2)
    except OSError as error:
        fail(f'{path} cannot be read: {error.strerror}', 2)
    return passwords


def md5_option(network, password):
    """struct tcp_md5sig of linux/tcp.h: sockaddr_storage, flags, prefix length, key length, interface, key."""
    if network.version == 4:
        address = struct.pack('=H', socket.AF_INET) + bytes(2) + network.network_address.packed
    else:
        address = struct.pack('=H', socket.AF_INET6) + bytes(6) + network.network_address.packed
    return address.ljust(128, b'\0') + struct.pack(
        '=BBHi80s', TCP_MD5SIG_FLAG_PREFIX, network.prefixlen, len(password), 0, password
    )


def open_listener(address, port, passwords, gtsm):
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    for network, password in passwords:
        if network.version == address.version:
            listener.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG_EXT, md5_option(network, password))
    if gtsm and family == socket.AF_INET:
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
        listener.setsockopt(socket.IPPROTO_IP, IP_MINTTL, 255)
    elif gtsm:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
        listener.setsockopt(socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT, 255)
    listener.bind((str(address), port))
    listener.listen(128)
    return listener


def main(words):
    if '--' not in words or words[-1] == '--':
        fail('expected addresses, "--", and a command; see the head of this file', 2)
    at = words.index('--')
    own, command = words[:at], words[at + 1:]
    passwords, gtsm, targets = [], False, []
    while own:
        word = own.pop(0)
        if word == '--password-file' and own:
            passwords = read_passwords(own.pop(0))
        elif word == '--gtsm':
            gtsm = True
        elif word.startswith('-'):
            fail(f'unknown option {word}', 2)
        else:
            targets.append(parse_target(word))
    if not targets:
        fail('expected at least one address with a port', 2)
    listeners = []
    for address, port in targets:
        try:
            listeners.append(open_listener(address, port, passwords, gtsm))
        except OSError as error:
            fail(f'cannot listen on {address} port {port}: {error.strerror}', 4)
    # first out of the way of each other, then to their places
    spare = [os.dup2(one.fileno(), 64 + i, inheritable=False) for i, one in enumerate(listeners)]
    for i, descriptor in enumerate(spare):
        os.dup2(descriptor, FIRST_DESCRIPTOR + i, inheritable=True)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        fail(f'cannot start {command[0]}: {error.strerror}', 4)


if __name__ == '__main__':
    main(sys.argv[1:])
