/**
 * The streams standard.
 * May import: install.
 */
import * as streams from 'web-streams-polyfill';
import { publish } from '../install.ts';

export const { ReadableStream, TransformStream, WritableStream } = streams;

publish({ ...streams });
