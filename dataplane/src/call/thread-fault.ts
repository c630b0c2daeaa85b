/**
 * What a thread says cannot be: the code of agents shares it, and may have replaced what voda's own code
 * there works with. Thrown before anything is noted of it; whoever hears it ends the thread, and no more.
 */
export class ThreadFault extends Error {
  override readonly name = "ThreadFault";
}
