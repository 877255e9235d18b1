/** Three hosts that share their state, each a process of its own: what they share, what they deploy, what kills them. */
import { useTrio } from '../support/cluster/trio.ts';
import { deployCases } from './cluster/deploys.ts';
import { killCases, sweptCases } from './cluster/kills.ts';
import { sharingCases } from './cluster/sharing.ts';
import { skewCases } from './cluster/skew.ts';

const trio = useTrio();

// In this order: the first needs the host that got the leases first, the last one waits for what others left.
sharingCases(trio);
deployCases(trio);
killCases(trio);
skewCases(trio);
sweptCases(trio);
