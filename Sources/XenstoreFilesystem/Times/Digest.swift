/// What was seen, in short: enough to see that it is another.
///
/// Each answer of the store is looked at so. Hence the products of words, folded, that have become
/// usual for tables in memory: of what is as short as most values are they cost a fifth of a
/// `Hasher`.
enum Digest {
    /// Of no value. That of anything is not 0.
    static let ofNothing: UInt32 = 1

    /// Others at each start of the process, so that nobody can choose what looks the same.
    private static let secrets = (
        first: UInt64.random(in: .min ... .max), second: UInt64.random(in: .min ... .max)
    )

    static func of(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { of($0) } }

    /// Of names, each followed by a zero, in any order.
    static func ofNames(_ names: [UInt8]) -> UInt32 {
        names.withUnsafeBytes { names in
            var sum: UInt32 = 0
            var start = 0
            for end in names.indices where names[end] == 0 {
                if end > start {
                    sum &+= of(UnsafeRawBufferPointer(rebasing: names[start..<end]))
                }
                start = end + 1
            }
            if start < names.count {
                sum &+= of(UnsafeRawBufferPointer(rebasing: names[start...]))
            }
            return sum
        }
    }

    private static func of(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        guard !bytes.isEmpty else { return ofNothing }
        let (first, second) = secrets
        var state = first ^ UInt64(bytes.count)
        var next = 0
        while bytes.count - next > 16 {
            state = folded(word(bytes, next) ^ second, word(bytes, next + 8) ^ state)
            next += 16
        }
        // The last 16, some of them once more, or all that there are.
        let last: (UInt64, UInt64)
        switch bytes.count {
        case 16...: last = (word(bytes, bytes.count - 16), word(bytes, bytes.count - 8))
        case 8...: last = (word(bytes, 0), word(bytes, bytes.count - 8))
        default: last = (bytes.reduce(0) { $0 << 8 | UInt64($1) }, 0)
        }
        state = folded(last.0 ^ second, last.1 ^ state)
        state = folded(state ^ first, second ^ UInt64(bytes.count))
        return max(UInt32(truncatingIfNeeded: state), ofNothing + 1)
    }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }

    private static func folded(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
