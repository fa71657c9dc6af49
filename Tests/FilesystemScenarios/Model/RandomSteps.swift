import TestSupport
import XenstoreFilesystem

/// Steps by chance, from a seed: few names, so that they meet.
struct RandomSteps {
    private var random: SplitMix64

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
    }

    static func make(seed: UInt64, count: Int) -> [Step] {
        var steps = RandomSteps(seed: seed)
        return (0..<count).map { _ in steps.next() }
    }

    private mutating func next() -> Step {
        switch random.below(100) {
        case 0..<10: .makeDirectory(path())
        case 10..<14: .create(path())
        case 14..<24: .write(path(), content())
        case 24..<29: .append(path(), someContent())
        case 29..<32: .truncate(path(), size())
        case 32..<34: .makeTemporary(path(temporary: true), Bytes(random.bytes(3)))
        case 34..<40: .unlink(path())
        case 40..<45: .removeDirectory(path())
        case 45..<55: .rename(path(), path(), random.pick([.replace, .replace, .keep, .exchange]))
        case 55..<64: setMetadata()
        case 64..<65: .setValue(path(), content())
        case 65..<73: query()
        case 73..<86: open()
        case 86..<99: others()
        default: .lookAtAll
        }
    }

    private mutating func setMetadata() -> Step {
        switch random.below(9) {
        case 0..<3: .setMode(path(), random.pick(Self.modes))
        case 3: .setOwner(path(), UInt32(random.below(10)))
        case 4: .setGroup(path(), random.pick([0, 0, 5]))
        case 5, 6: .setPermissions(path(), random.pick(Self.permissions))
        case 7: .setAccessList(path(), accessList())
        default:
            random.happens(percent: 30)
                ? .removeAccessList(path()) : .setAccessList(path(), accessList())
        }
    }

    /// Mostly one that permissions can express.
    private mutating func accessList() -> AccessListText {
        func bits() -> UInt8 { random.pick([0, 4, 6, 2, 4, 6, 5, 7]) }
        let others = random.happens(percent: 60) ? random.pick([0, 4]) : bits()
        var entries = [AccessListText.Entry(.owner, random.happens(percent: 90) ? 6 : bits())]
        // In their order: the kernel takes no other.
        for domain in [UInt32](0..<9) where random.happens(percent: 20) {
            entries.append(AccessListText.Entry(.user(domain), bits()))
        }
        entries.append(
            AccessListText.Entry(.owningGroup, random.happens(percent: 80) ? others : bits())
        )
        if random.happens(percent: 5) { entries.append(AccessListText.Entry(.group(7), 4)) }
        if entries.count > 2 || random.happens(percent: 10) {
            let sum = entries.dropFirst().map(\.bits).reduce(others, |)
            entries.append(AccessListText.Entry(.mask, random.happens(percent: 85) ? sum : bits()))
        }
        return AccessListText(entries + [AccessListText.Entry(.others, others)])
    }

    private mutating func query() -> Step {
        switch random.below(6) {
        case 0: .read(path())
        case 1: .status(path())
        case 2: .list(path())
        case 3: .permissions(path())
        case 4: .accessList(path())
        default: .value(path())
        }
    }

    private mutating func open() -> Step {
        let slot = random.below(Step.slots)
        switch random.below(10) {
        case 0..<3:
            var flags: OpenFlags = random.pick([.read, .write, .write, [.read, .write]])
            if flags.contains(.write) {
                if random.happens(percent: 30) { flags.insert(.append) }
                if random.happens(percent: 30) { flags.insert(.truncate) }
            }
            let creating = flags.contains(.write) && random.happens(percent: 60)
            return .open(slot, path(), flags, creating: creating)
        case 3..<6: return .writeOpen(slot, someContent(), offset: random.pick([0, 0, 0, 2, 9]))
        case 6: return .readOpen(slot)
        case 7: return .truncateOpen(slot, size())
        default: return .close(slot)
        }
    }

    private mutating func others() -> Step {
        let count = random.happens(percent: 75) ? 1 : 2 + random.below(2)
        return .others(
            (0..<count).map { _ in
                switch random.below(10) {
                case 0..<5: .put(keyPath(), content(most: 20))
                case 5..<9: .remove(keyPath())
                default: .setPermissions(keyPath(), random.pick(Self.validPermissions))
                }
            }
        )
    }

    // MARK: Parts

    private static let keys = ["a", "b", "c"]
    private static let scratch = [".s", "a~"]
    private static let temporary = ["sedAbcdef", "tmpabcdef"]
    private static let modes: [UInt32] = [
        0o600, 0o640, 0o644, 0o646, 0o660, 0o664, 0o666, 0o602, 0o400, 0o700, 0o750, 0o755, 0o777,
        0o711, 0o1644,
    ]
    private static let validPermissions = ["n0", "r0", "n1,r2", "b3,w4", "n0,r5,b7", "w9"]
    private static let permissions = validPermissions + ["", "x", "n", "n0,", "n0 r5"]

    private mutating func keyPath() -> String {
        (0...random.below(3)).map { _ in "/" + random.pick(Self.keys) }.joined()
    }

    private mutating func path(temporary: Bool = false) -> String {
        var path = ""
        for _ in 0..<random.pick([0, 0, 1, 1, 2]) {
            path += "/" + random.pick(Self.keys)
            if random.happens(percent: 12) { path += ".dir" }
        }
        let key = random.pick(Self.keys)
        if temporary, random.happens(percent: 70) {
            return path + "/" + random.pick(Self.temporary)
        }
        switch random.below(100) {
        case 0..<66: return path + "/" + key
        case 66..<74: return path + "/" + key + ".value"
        case 74..<79: return path + "/" + key + ".dir"
        case 79..<87: return path + "/.value"
        case 87..<98: return path + "/" + random.pick(Self.scratch)
        default: return path + "/" + random.pick(Self.temporary)
        }
    }

    /// Sometimes nothing, sometimes more than a value holds.
    private mutating func content(most: Int = 5000) -> Bytes {
        random.happens(percent: 15) ? Bytes([]) : someContent(most: most)
    }

    private mutating func someContent(most: Int = 5000) -> Bytes {
        if most >= 5000, random.happens(percent: 4) {
            return Bytes([UInt8](repeating: UInt8(ascii: "x"), count: 5000))
        }
        var bytes = (0..<(1 + random.below(6))).map { _ in
            UInt8(ascii: "a") + UInt8(random.below(26))
        }
        if random.happens(percent: 10) { bytes[0] = random.pick([0, 10, 255]) }
        if random.happens(percent: 50) { bytes.append(UInt8(ascii: "\n")) }
        return Bytes(bytes)
    }

    private mutating func size() -> Int { random.pick([0, 0, 1, 3, 8, 5000]) }
}
