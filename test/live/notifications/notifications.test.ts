/**
 * Notifications through the whole path: cell, exchanges, broker, host, guest. One server for all, and so in this order:
 * the exchange that is not there comes first, the runners that are killed come last.
 */
import { afterAll, beforeAll, describe } from 'vitest';

import { changeCases } from './change-cases.ts';
import { deliveryCases } from './delivery-cases.ts';
import { exchangeCases } from './exchange-cases.ts';
import { heldCases } from './held-cases.ts';
import { openWorld, type World } from './world.ts';

let opened: World;
beforeAll(async () => {
  opened = await openWorld();
});
afterAll(() => opened?.[Symbol.asyncDispose]());
const world = () => opened;

describe("vCloud's exchange", () => exchangeCases(world));
describe('delivery', () => deliveryCases(world));
describe('subscriptions', () => changeCases(world));
describe('held operations', () => heldCases(world));
