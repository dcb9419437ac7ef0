/**
 * What a request is answered with; its body may be other than data to be made into JSON: a text that is JSON already, or a stream
 * that goes on.
 */

export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}

/** An operation that goes on whoever waits for it. */
export interface BegunOperation {
  readonly operationId: string
  readonly answer: Promise<HttpAnswer>
}

/** JSON made before, for an answer that many get. */
export class JsonText {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** Goes on until it ends by itself or the client goes; nothing is made before the client has taken what was. */
export class Streamed {
  readonly contentType: string
  readonly body: ReadableStream<Uint8Array>
  constructor(contentType: string, body: ReadableStream<Uint8Array>) {
    this.contentType = contentType
    this.body = body
  }
}
