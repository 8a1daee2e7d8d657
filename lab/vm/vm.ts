/**
 * Another kernel than this machine's: Debian's cloud kernel with ip_vs and SCTP, booted by qemu without KVM from packages
 * that are unpacked and not installed. A shell script runs in it as root and its output comes back; nothing of this
 * machine is changed. Building takes seconds, booting about fifteen.
 */
import { execFile, spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Programs of this machine that the virtual one gets, with the libraries they need. */
const PROGRAMS = ['ip', 'ipvsadm', 'sysctl'];
/** What building and booting needs here, by Debian package. */
export const VM_PROGRAMS = {
  ...{ 'qemu-system-x86_64': 'qemu-system-x86', cpio: 'cpio', depmod: 'kmod', gcc: 'gcc' },
  ...{ ipvsadm: 'ipvsadm', 'apt-get': 'apt', dpkg: 'dpkg' },
} as const;
const MODULE_FOLDERS = ['kernel/net', 'kernel/drivers/net', 'kernel/lib', 'kernel/crypto'];
const NOT_NEEDED = [
  'kernel/drivers/net/ethernet',
  'kernel/drivers/net/wireless',
  'kernel/net/wireless',
  'kernel/net/mac80211',
];
const MODULES = [
  'veth',
  'dummy',
  'ip_vs',
  'ip_vs_rr',
  'ip_vs_lc',
  'ip_vs_sh',
  'ip_vs_mh',
  'nf_conntrack',
  'nf_nat',
];
const BEGIN = 'BEGIN-SCRIPT';
const END = 'END-SCRIPT';
const PATHS = '/usr/local/bin:/usr/bin:/usr/sbin:/sbin:/bin';

export class Vm {
  private constructor(
    private readonly dir: string,
    /** e.g. "6.1.0-56-cloud-amd64" */
    readonly kernel: string,
  ) {}

  /** Downloads kernel and busybox from Debian's archive and makes an initial file system of them. */
  static async build(): Promise<Vm> {
    const dir = mkdtempSync(join(tmpdir(), 'flowfate-vm-'));
    try {
      const kernel = await unpack(dir);
      await makeRoot(join(dir, 'root'), dir, kernel);
      return new Vm(dir, kernel);
    } catch (error) {
      rmSync(dir, { recursive: true, force: true });
      throw error;
    }
  }

  /** Boots, runs the script, and gives what it printed; fails with the last lines where it did not come to its end. */
  async execute(script: string, timeoutS = 300): Promise<string> {
    const root = join(this.dir, 'root');
    writeFileSync(join(root, 'script.sh'), `${OWN_PROGRAMS}\n${script}`);
    const image = join(this.dir, 'initramfs.gz');
    await run('sh', ['-c', 'find . | cpio -o -H newc --quiet | gzip -1 >"$0"', image], { cwd: root });
    const log = await this.boot(image, timeoutS);
    const from = log.indexOf(BEGIN);
    const to = log.indexOf(`${END} 0`);
    if (from < 0 || to < 0) throw new Error(`the virtual machine did not finish: ${log.slice(-800)}`);
    return log.slice(log.indexOf('\n', from) + 1, to);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  private async boot(image: string, timeoutS: number): Promise<string> {
    const qemu = spawn(
      'qemu-system-x86_64',
      [
        ...[
          '-accel',
          'tcg,thread=multi',
          '-smp',
          '2',
          '-m',
          '1024',
          '-nographic',
          '-no-reboot',
          '-nic',
          'none',
        ],
        ...['-kernel', join(this.dir, 'vmlinuz'), '-initrd', image],
        ...['-append', 'console=ttyS0 quiet panic=-1'],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let log = '';
    for (const stream of [qemu.stdout, qemu.stderr]) stream.on('data', (text) => (log += text));
    const timer = setTimeout(() => qemu.kill('SIGKILL'), timeoutS * 1000);
    await new Promise((resolve) => qemu.on('close', resolve));
    clearTimeout(timer);
    return log.replaceAll('\r', '');
  }
}

/** Leaves vmlinuz and unpacked/ in `dir`; the kernel's release. */
async function unpack(dir: string): Promise<string> {
  const { stdout } = await run('apt-cache', ['depends', 'linux-image-cloud-amd64']);
  const kernelPackage = /Depends: (linux-image-\S+)/.exec(stdout)?.[1];
  if (kernelPackage === undefined) throw new Error('apt-cache knows no kernel: run "apt-get update" once');
  await run('apt-get', ['download', '-q', kernelPackage, 'busybox-static'], { cwd: dir });
  const unpacked = join(dir, 'unpacked');
  for (const file of readdirSync(dir).filter((name) => name.endsWith('.deb'))) {
    await run('dpkg', ['-x', join(dir, file), unpacked]);
  }
  const kernel = kernelPackage.replace('linux-image-', '');
  cpSync(join(unpacked, 'boot', `vmlinuz-${kernel}`), join(dir, 'vmlinuz'));
  return kernel;
}

async function makeRoot(root: string, dir: string, kernel: string): Promise<void> {
  for (const name of ['bin', 'sbin', 'proc', 'sys', 'dev', 'run', 'tmp', 'etc', 'var']) {
    mkdirSync(join(root, name), { recursive: true });
  }
  const unpacked = join(dir, 'unpacked');
  cpSync(join(unpacked, 'bin/busybox'), join(root, 'bin/busybox'));
  symlinkSync('busybox', join(root, 'bin/sh'));
  const from = join(unpacked, 'lib/modules', kernel);
  const to = join(root, 'lib/modules', kernel);
  for (const name of ['modules.builtin', 'modules.order', ...MODULE_FOLDERS]) {
    if (existsSync(join(from, name))) cpSync(join(from, name), join(to, name), { recursive: true });
  }
  for (const name of NOT_NEEDED) rmSync(join(to, name), { recursive: true, force: true });
  await run('depmod', ['-b', root, kernel]);
  for (const program of PROGRAMS) await takeProgram(root, program);
  await run('gcc', [
    '-O1',
    '-static',
    '-o',
    join(root, 'bin/packets'),
    join(import.meta.dirname, sourceOf('packets.c')),
  ]);
  writeFileSync(join(root, 'init'), INIT);
  chmodSync(join(root, 'init'), 0o755);
}

/** A source beside this file, also where this one runs built. */
function sourceOf(name: string): string {
  return existsSync(join(import.meta.dirname, name)) ? name : join('../../../lab/vm', name);
}

async function takeProgram(root: string, program: string): Promise<void> {
  const { stdout: found } = await run('sh', [
    '-c',
    `readlink -f "$(PATH=$PATH:${PATHS} command -v ${program})"`,
  ]);
  const path = found.trim();
  const { stdout: libraries } = await run('ldd', [path]);
  for (const file of [path, ...(libraries.match(/\/[^ )]+/g) ?? [])]) {
    const to = join(root, file);
    mkdirSync(dirname(to), { recursive: true });
    cpSync(file, to, { dereference: true });
  }
  if (!existsSync(join(root, 'sbin', program))) symlinkSync(path, join(root, 'sbin', program));
}

// busybox's shell takes its own ip and sysctl before those of the path
const OWN_PROGRAMS = PROGRAMS.map((program) => `${program}() { /sbin/${program} "$@"; }`).join('\n');

const INIT = `#!/bin/busybox sh
export PATH=${PATHS}
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs run /run
/bin/busybox mkdir -p /run/netns
/bin/busybox ln -sfn /run /var/run
for module in ${MODULES.join(' ')}; do /bin/busybox modprobe $module || echo "no module $module"; done
echo ${BEGIN}
/bin/busybox sh /script.sh
echo ${END} $?
/bin/busybox poweroff -f
`;
