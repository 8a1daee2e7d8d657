/** The words of vtysh and birdc, and what is asked of the running program with them. */
import { describe, expect, test } from 'vitest';
import type { ControlRequest } from '../../../../src/live/control/control-request.js';
import { CONTROL_SYNTAX } from '../../../../src/live/control/control-syntax.js';
import { parseControlWords } from '../../../../src/live/control/control-words.js';

const parse = (text: string): ControlRequest => parseControlWords(text.split(' '));
const rows = { offset: 0, limit: 2000 };
const all = { command: 'show routes', table: 'rib', peer: null, prefix: null, family: null, ...rows };

describe('words of a command', () => {
  test.each<[string, object]>([
    ['show bgp summary', { command: 'show summary' }],
    ['sh bgp sum', { command: 'show summary' }],
    ['show ip bgp summary', { command: 'show summary' }],
    ['show bgp ipv4 unicast summary', { command: 'show summary' }],
    ['show protocols', { command: 'show summary' }],
    ['show bgp neighbors', { command: 'show neighbors', peer: null }],
    ['show bgp neigh 10.0.0.1', { command: 'show neighbors', peer: '10.0.0.1' }],
    ['show bgp nei 10.0.0.1 received-routes', { ...all, table: 'received', peer: '10.0.0.1' }],
    ['show bgp nei 10.0.0.1 adv', { ...all, table: 'advertised', peer: '10.0.0.1' }],
    ['show bgp nei 10.0.0.1 routes', { ...all, peer: '10.0.0.1' }],
    ['show bgp', all],
    ['show bgp ipv6', { ...all, family: 6 }],
    ['show bgp 203.0.113.10', { command: 'show prefix', prefix: '203.0.113.10' }],
    ['show bgp ipv6 2001:db8::/32', { command: 'show prefix', prefix: '2001:db8::/32' }],
    ['show bgp 10.0.0.0/8 longer-prefixes', { ...all, prefix: '10.0.0.0/8' }],
    ['show route for 203.0.113.10', { command: 'show prefix', prefix: '203.0.113.10' }],
    ['show fib', { command: 'show fib', prefix: null, ...rows }],
    ['show ip route 10.1.1.1', { command: 'show fib', prefix: '10.1.1.1', ...rows }],
    ['show nexthop-groups', { command: 'show nexthop-groups', prefix: null, ...rows }],
    ['show flows reset e3', { command: 'show flows', fate: 'reset', event: 'e3', ...rows }],
    ['show events', { command: 'show events' }],
    ['clear 10.0.0.1', { command: 'clear', peer: '10.0.0.1', how: 'hard' }],
    ['clear bgp * soft in', { command: 'clear', peer: '*', how: 'soft in' }],
    ['restart 10.0.0.1', { command: 'clear', peer: '10.0.0.1', how: 'hard' }],
    ['shutdown 10.0.0.1 new firmware', { command: 'shutdown', peer: '10.0.0.1', text: 'new firmware' }],
    ['disable 10.0.0.1', { command: 'shutdown', peer: '10.0.0.1', text: '' }],
    ['no shutdown 10.0.0.1', { command: 'enable', peer: '10.0.0.1' }],
    ['enable 10.0.0.1', { command: 'enable', peer: '10.0.0.1' }],
    ['drain 10.0.0.1', { command: 'drain', name: '10.0.0.1' }],
    ['reload', { command: 'reload', apply: true }],
    ['reload check', { command: 'reload', apply: false }],
    ['configure check', { command: 'reload', apply: false }],
    ['status', { command: 'status' }],
    ['withdraw 203.0.113.10', { command: 'withdraw', name: '203.0.113.10' }],
  ])('%s', (text, request) => {
    expect(parse(text)).toEqual(request);
  });

  test.each([
    ['shwo bgp', '"shwo" is not understood; did you mean show?'],
    ['show bpg', '"bpg" after "show" is not understood; did you mean bgp?'],
    ['re 10.0.0.1', '"re" may be reload or restart'],
    ['show', '"show" wants what to show'],
    ['show fib nowhere', '"nowhere" is neither an address nor a prefix'],
    ['show bgp summary please', '"show bgp summary" ends before "please"'],
    ['clear', 'clear needs the name of a peer, or * for all'],
    ['clear x sideways', '"sideways" after "clear x" is not understood'],
    ['show flows dead', '"dead" after "show flows" is not understood'],
  ])('%s is answered with what is wrong', (text, sentence) => {
    expect(() => parse(text)).toThrow(sentence);
  });

  test('every line of the help is understood', () => {
    for (const [syntax] of CONTROL_SYNTAX) {
      const [first] = syntax.replace(/\[.*\]/g, '').split(', ');
      const words = first!
        .replace('<prefix|address>', '10.0.0.1')
        .replace('announce|withdraw|drain|undrain', 'announce')
        .replace(/<[^>]*>/g, 'x')
        .trim()
        .split(/\s+/);
      expect(() => parseControlWords(words), syntax).not.toThrow();
    }
  });
});
