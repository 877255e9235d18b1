/** A program in the place of the runner that dies before it is ready. */
process.exit(7);
