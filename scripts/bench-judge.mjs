// What the rounds of a bench case say: medians, the ratio of its pairs, and whether the bound holds.

/**
 * Whether the median ratio of a case holds its bound, from the times of its rounds. The spread is shown and excuses nothing.
 * @param tolerance how many times the bound a ratio may reach
 */
export function judge({ name, factor, plus, tolerance }, { nexus, floor }) {
  // the two of a round ran one after the other on the same busy or quiet machine, so the rounds' own ratios are compared
  const ratios = nexus.map((ms, i) => ms / floor[i])
  const ratio = median(ratios)
  const bound = factor + plus / median(floor)
  const spread = (quantile(ratios, 0.75) - quantile(ratios, 0.25)) / 2
  return {
    name,
    rounds: nexus.length,
    nexusMs: summary(nexus),
    floorMs: summary(floor),
    ratio,
    spread,
    bound,
    holds: ratio <= bound * tolerance,
  }
}

function summary(values) {
  return { median: median(values), q1: quantile(values, 0.25), q3: quantile(values, 0.75) }
}

/** One line of the table. */
export function format({ name, nexusMs, floorMs, ratio, spread, bound, holds }) {
  const ms = ({ median, q1, q3 }) => `${median.toFixed(0)} ms (${q1.toFixed(0)}-${q3.toFixed(0)})`
  const left = `${name.padEnd(28)} nexus ${ms(nexusMs).padEnd(22)} floor ${ms(floorMs).padEnd(22)}`
  return `${left} ratio ${ratio.toFixed(2)} +-${spread.toFixed(2)}, bound ${bound.toFixed(2)}: ${holds ? 'holds' : 'MISSED'}`
}

function median(values) {
  return quantile(values, 0.5)
}

function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * q
  const low = sorted[Math.floor(at)]
  return low + (sorted[Math.ceil(at)] - low) * (at % 1)
}
