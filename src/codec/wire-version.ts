// The wire versions: how the records of the log are written. A reader refuses a version that it does not know.

/** Of most records. */
export const wireVersion = 1
/** For a commit of several commands: a reader that ignored the commands would handle them again. */
export const wireVersionBatched = 2
/**
 * For a commit that says something of work, or after which work of its actor has not ended, whether it is of several
 * commands or not: a reader that ignored the work would lose it.
 */
export const wireVersionWork = 3
/** The latest version that this build reads. */
export const wireVersionNewest = 3
/** The latest version that a member reads which does not say so: it is of an earlier build. */
export const wireVersionUnsaid = 2
