/** A message that is not sent, since the broker takes none of that size. */
export class TooLarge extends Error {
  constructor(bytes: number, maximumBytes: number) {
    super(`with ${bytes} bytes it is larger than the ${maximumBytes} that the broker takes`);
  }
}
