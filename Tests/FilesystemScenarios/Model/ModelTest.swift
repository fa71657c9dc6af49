import TestSupport
import XenstoreFilesystem
import XenstoreProtocol

/// Random operations, compared with the model after each.
public struct ModelTest: Hashable, Sendable, CustomStringConvertible {
    public var seed: UInt64
    public var count: Int
    /// Steps of the seed that are left out at the beginning: whole directories.
    public var skipped = 0

    /// Steps before a new directory is begun: what went before does not make a failure longer.
    private static let stepsPerDirectory = 400

    /// Steps before a difference that are shown: where it is one of timing, shortening loses it.
    private static let stepsShown = 12

    /// How long a failure is shortened: a repetition that waits for what never comes takes seconds.
    private static let shortening = Duration.seconds(30)

    public init(seed: UInt64, count: Int) {
        self.seed = seed
        self.count = count
    }

    /// Some seeds, or the one of `SEED,COUNT`, or its end of `SEED,COUNT,SKIPPED`.
    public static func all(
        _ given: String?,
        seeds: ClosedRange<UInt64>,
        count: Int
    ) -> [ModelTest] {
        let numbers = (given ?? "").split(separator: ",").compactMap { UInt64($0) }
        if numbers.count == 2 || numbers.count == 3 {
            var test = ModelTest(seed: numbers[0], count: Int(numbers[1]))
            if numbers.count == 3 { test.skipped = Int(numbers[2]) }
            return [test]
        }
        return seeds.map { ModelTest(seed: $0, count: count) }
    }

    public var description: String { "seed \(seed), \(count) steps" }

    /// Takes all steps.
    ///
    /// - Parameter surface: gives the surface for one directory, or for another repetition.
    /// - Throws: ``Broken`` with the difference, and the fewest steps that still make one.
    public func run(on surface: () async throws -> any Surface) async throws {
        var number = 0
        var random = SplitMix64(seed: seed)
        for start in stride(from: 0, to: count, by: Self.stepsPerDirectory) {
            let seed = random.next()
            guard start + Self.stepsPerDirectory > skipped else { continue }
            let length = min(Self.stepsPerDirectory, count - start)
            let steps = RandomSteps.make(seed: seed, count: length)
            func differ(_ steps: [Step]) async throws -> ModelRun.Difference? {
                number += 1
                let surface = try await surface()
                let base = "model\(number)"
                let difference = try await ModelRun.differ(steps, on: surface, base: base)
                try await surface.store.remove(surface.key("/" + base))
                return difference
            }
            guard let difference = try await differ(steps) else { continue }
            let (shortest, last) = try await shorten(steps, difference, differ)
            throw Broken(
                description: """
                    seed \(self.seed), step \(start + difference.position): \(difference.text)
                    after:
                    \(list(steps[..<difference.position].suffix(Self.stepsShown)))
                    shortest:
                    \(list(shortest))
                    \(last.text)
                    """
            )
        }
    }

    private func list(_ steps: some Sequence<Step>) -> String {
        steps.map { "    \($0)" }.joined(separator: "\n")
    }

    /// Leaves out what is not needed for a difference, halves first.
    private func shorten(
        _ steps: [Step],
        _ difference: ModelRun.Difference,
        _ differ: ([Step]) async throws -> ModelRun.Difference?
    ) async throws -> ([Step], ModelRun.Difference) {
        var (shortest, last) = (Array(steps[...difference.position]), difference)
        var length = shortest.count / 2
        let deadline = ContinuousClock.now + Self.shortening
        while length > 0 {
            var start = 0
            while start < shortest.count, ContinuousClock.now < deadline {
                var tried = shortest
                tried.removeSubrange(start..<min(start + length, shortest.count))
                if let difference = try await differ(tried) {
                    (shortest, last) = (Array(tried.prefix(difference.position + 1)), difference)
                } else {
                    start += length
                }
            }
            length /= 2
        }
        return (shortest, last)
    }
}
