// The wire versions: how the records of the log are written. A reader refuses a version that it does not know.

/** Of most records. */
export const wireVersion = 1
/** For a commit of several commands: a reader that ignored the commands would handle them again. */
export const wireVersionBatched = 2
/** The latest version that this build reads. A member that does not say which one it reads, reads this one. */
export const wireVersionNewest = 2
