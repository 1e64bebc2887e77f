// A queue whose items can be removed from anywhere at the cost of one step.
//
// An array costs a copy for a removal, and for taking the first item once it is long. A set passes all the places that
// became free at its front. Both cost a queue of tens of thousands the most when the load is highest.

/** An item in a queue. */
export interface Link<Item> {
  readonly item: Item
  previous: Link<Item> | undefined
  next: Link<Item> | undefined
  isQueued: boolean
}

export class LinkedQueue<Item> {
  #first: Link<Item> | undefined
  #last: Link<Item> | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Adds an item at the end; the link removes it. */
  add(item: Item): Link<Item> {
    const link: Link<Item> = {
      item,
      previous: this.#last,
      next: undefined,
      isQueued: true,
    }
    if (this.#last === undefined) this.#first = link
    else this.#last.next = link
    this.#last = link
    this.#size++
    return link
  }

  /** Removes an item. Returns whether it was in the queue. */
  remove(link: Link<Item>): boolean {
    if (!link.isQueued) return false
    link.isQueued = false
    const { previous, next } = link
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    this.#size--
    return true
  }

  /** Removes the first item and returns it. */
  shift(): Item | undefined {
    const link = this.#first
    if (link === undefined) return undefined
    this.remove(link)
    return link.item
  }

  /** The links, first to last; the current one may be removed meanwhile. */
  *links(): Generator<Link<Item>> {
    for (let link = this.#first; link !== undefined;) {
      const { next } = link
      yield link
      link = next
    }
  }
}
