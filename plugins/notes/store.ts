/** Notes in `kv`, a key each. The version of an entry is what keeps two writers from overwriting each other. */
import type { KvNamespace } from '#sdk';

export interface NoteFields {
  readonly title: string;
  readonly text: string;
}

export interface Note extends NoteFields {
  readonly id: string;
  /** URN of the user who wrote it last. */
  readonly author: string;
  readonly changedAt: string;
}

export interface StoredNote {
  readonly note: Note;
  readonly version: number;
}

export interface Page {
  readonly notes: readonly Note[];
  /** For the next page; null when there is none. */
  readonly cursor: string | null;
}

const PREFIX = 'note/';

/** Of one org: another's notes can not even be named. */
export function createStore(kv: KvNamespace) {
  return {
    async get(id: string): Promise<StoredNote | null> {
      const entry = await kv.getWithVersion<Note>(PREFIX + id);
      return entry && { note: entry.value, version: entry.version };
    },

    /** The new version, or null when the note is no longer of version `ifVersion`; 0 means that there is none. */
    put(note: Note, ifVersion: number): Promise<number | null> {
      return kv.put(PREFIX + note.id, note, { ifVersion });
    },

    remove(id: string): Promise<boolean> {
      return kv.delete(PREFIX + id);
    },

    async page(limit: number, cursor: string | undefined): Promise<Page> {
      const from = cursor === undefined ? {} : { cursor };
      const found = await kv.list({ prefix: PREFIX, limit, ...from });
      const notes = await Promise.all(found.keys.map((key) => kv.get<Note>(key)));
      // One may have gone since its key was listed.
      return { notes: notes.filter((note) => note !== null), cursor: found.cursor };
    },

    /** Whether there are as many notes already. Two that are written at once may both get in. */
    async isFull(maxNotes: number): Promise<boolean> {
      const { keys } = await kv.list({ prefix: PREFIX, limit: maxNotes });
      return keys.length >= maxNotes;
    },
  };
}
