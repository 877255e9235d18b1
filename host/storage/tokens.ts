/**
 * The port of the tokens that owners of plug-ins call the operator API with. Only digests are kept.
 * May import: nothing.
 */

export interface OwnerToken {
  /** SHA-256 of the token, hex. */
  readonly digest: string;
  /** What the operator calls it; unique. */
  readonly name: string;
  /** Id of the owner in the trust store. */
  readonly owner: string;
  /** Epoch ms. */
  readonly createdAt: number;
}

/** What changes something leaves its entry in the audit log in the same step; `who` goes there. */
export interface TokenStore {
  /** False when the name is taken: then nothing was changed. */
  add(token: OwnerToken, who: string): Promise<boolean>;
  find(digest: string): Promise<OwnerToken | null>;
  /** In order of their names. */
  list(): Promise<readonly OwnerToken[]>;
  /** From now on the token opens nothing. True if there was one of this name. */
  remove(name: string, who: string): Promise<boolean>;
}
