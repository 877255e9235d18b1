/**
 * DOMException, which V8 alone does not have.
 * May import: install, primordials.
 */
import { publish } from '../install.ts';
import { toText } from '../primordials.ts';

const CODES: Readonly<Record<string, number>> = {
  IndexSizeError: 1,
  HierarchyRequestError: 3,
  WrongDocumentError: 4,
  InvalidCharacterError: 5,
  NoModificationAllowedError: 7,
  NotFoundError: 8,
  NotSupportedError: 9,
  InUseAttributeError: 10,
  InvalidStateError: 11,
  SyntaxError: 12,
  InvalidModificationError: 13,
  NamespaceError: 14,
  InvalidAccessError: 15,
  TypeMismatchError: 17,
  SecurityError: 18,
  NetworkError: 19,
  AbortError: 20,
  URLMismatchError: 21,
  QuotaExceededError: 22,
  TimeoutError: 23,
  InvalidNodeTypeError: 24,
  DataCloneError: 25,
};

export class DOMException extends Error {
  readonly code: number;
  constructor(message = '', nameOrOptions: string | { name?: string; cause?: unknown } = 'Error') {
    const options = typeof nameOrOptions === 'object' ? nameOrOptions : { name: nameOrOptions };
    super(toText(message), 'cause' in options ? { cause: options.cause } : undefined);
    const name = options.name === undefined ? 'Error' : toText(options.name);
    Object.defineProperty(this, 'name', { value: name, configurable: true, writable: true });
    this.code = CODES[name] ?? 0;
  }
}
Object.defineProperty(DOMException.prototype, Symbol.toStringTag, {
  value: 'DOMException',
  configurable: true,
});

publish({ DOMException });
