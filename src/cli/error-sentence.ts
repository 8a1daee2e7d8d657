/** A FlowfateError as the one sentence that people read. */
import type { FlowfateError } from '../errors.js';

/** The message, preceded by the position where it does not itself name the file. */
export function errorSentence({ message, position }: FlowfateError): string {
  const { file, line, column, offset } = position;
  if (file === undefined || message.includes(file)) return message;
  if (line !== undefined) return `${file}:${line}${column === undefined ? '' : `:${column}`}: ${message}`;
  return offset === undefined ? `${file}: ${message}` : `${file}, byte ${offset}: ${message}`;
}
