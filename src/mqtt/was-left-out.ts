/** A message that is not sent, since its topic is left out for a time: when it was added to what is left out, that was told. */
export class WasLeftOut extends Error {
  constructor() {
    super('left out for a time: the broker did not take it before');
  }
}
