import { describe, expect, test } from 'vitest';
import { CEASE, ERROR_CODE, notificationName } from '../../../../src/bgp/codec/notification-code.js';
import {
  hardResetCause,
  makeHardReset,
  makeNotification,
  makeShutdown,
  shutdownCommunication,
} from '../../../../src/bgp/codec/notification-message.js';

describe('shutdown communication (RFC 9003)', () => {
  test('comes back as it was written', () => {
    const message = makeShutdown(CEASE.adminShutdown, 'back at 14:00 ☕');
    expect(message.data[0]).toBe(message.data.length - 1);
    expect(shutdownCommunication(message)).toBe('back at 14:00 ☕');
  });

  test('is cut at a whole character', () => {
    const message = makeShutdown(CEASE.adminReset, '☕'.repeat(100));
    expect(message.data.length).toBe(1 + 255);
    expect(shutdownCommunication(message)).toBe('☕'.repeat(85));
    expect(makeShutdown(CEASE.adminReset, 'é'.repeat(200)).data[0]).toBe(254);
  });

  test('is none where the length is 0, exceeds the data, or the error is another', () => {
    expect(shutdownCommunication(makeNotification(6, 2, Uint8Array.of(0)))).toBeNull();
    expect(shutdownCommunication(makeNotification(6, 2, Uint8Array.of(9, 65)))).toBeNull();
    expect(shutdownCommunication(makeNotification(6, 1, Uint8Array.of(1, 65)))).toBeNull();
    expect(shutdownCommunication(makeNotification(6, 2))).toBeNull();
  });

  test('never brings control characters to a terminal', () => {
    expect(shutdownCommunication(makeNotification(6, 2, Uint8Array.of(3, 0x1b, 0x41, 0xff)))).toBe(
      '\ufffdA\ufffd',
    );
  });
});

describe('hard reset (RFC 8538)', () => {
  test('carries the error it is about, and its communication', () => {
    const cause = makeShutdown(CEASE.adminShutdown, 'bye');
    const message = makeHardReset(cause);
    expect([message.code, message.subcode]).toEqual([ERROR_CODE.cease, CEASE.hardReset]);
    expect(hardResetCause(message)).toEqual(cause);
    expect(shutdownCommunication(message)).toBe('bye');
  });

  test('has no cause where it is too short for one', () => {
    expect(hardResetCause(makeNotification(6, 9, Uint8Array.of(6)))).toBeNull();
  });
});

describe('notificationName()', () => {
  test('names code and subcode, and survives numbers nobody assigned', () => {
    expect(notificationName(6, 2)).toBe('cease: administrative shutdown');
    expect(notificationName(4, 0)).toBe('hold timer expired');
    expect(notificationName(0, 0)).toBe('error 0');
    expect(notificationName(6, 99)).toBe('cease: subcode 99');
  });
});
