import XenstoreProtocol

/// The children of a directory, as of the last inotify events, to find out what a change has
/// changed: the event of a watch says where, and not what.
///
/// Digests, not values: 16 bytes a child beside its name. A class, as most keys have none: where
/// there is none, a pointer is what it takes.
final class DirectorySnapshot {
    /// What is remembered of one child.
    struct Fingerprint: Hashable {
        fileprivate var valueDigest: UInt32 = 0
        /// Its two upper bits are the shape's: 16 bytes are a fingerprint and its name's hash.
        private var permissionsAndShape: UInt32 = 0

        fileprivate var permissionsDigest: UInt32 {
            get { permissionsAndShape & (Self.shapeIsKnown - 1) }
            set { permissionsAndShape = permissionsAndShape & ~(Self.shapeIsKnown - 1) | newValue }
        }

        /// How it showed itself; nil where that is not known.
        var isDirectory: Bool? {
            get {
                guard permissionsAndShape & Self.shapeIsKnown != 0 else { return nil }
                return permissionsAndShape & Self.isDirectoryBit != 0
            }
            set {
                permissionsAndShape &= Self.shapeIsKnown - 1
                guard let newValue else { return }
                permissionsAndShape |= Self.shapeIsKnown | (newValue ? Self.isDirectoryBit : 0)
            }
        }

        private static let shapeIsKnown: UInt32 = 1 << 30
        private static let isDirectoryBit: UInt32 = 1 << 31

        /// Nothing is known but that it is there.
        static let unknown = Fingerprint()

        /// Nothing is known but that it is there, and its shape.
        static func unknown(isDirectory: Bool) -> Fingerprint {
            var fingerprint = Fingerprint()
            fingerprint.isDirectory = isDirectory
            return fingerprint
        }

        init() {}

        init(_ stat: some WatchedStat, isDirectory: Bool) {
            valueDigest = Self.digest(stat.value)
            permissionsDigest = Self.digest(stat.permissions)
            self.isDirectory = isDirectory
        }

        var isKnown: Bool { valueDigest != 0 }

        /// Whether it is known to have no value.
        var hasNoValue: Bool { valueDigest == Self.emptyDigest }

        /// Whether both are known and differ.
        func differsInValue(from other: Fingerprint) -> Bool {
            valueDigest != 0 && other.valueDigest != 0 && valueDigest != other.valueDigest
        }

        /// Whether both are known and differ.
        func differsInPermissions(from other: Fingerprint) -> Bool {
            permissionsDigest != 0 && other.permissionsDigest != 0
                && permissionsDigest != other.permissionsDigest
        }

        mutating func set(value: [UInt8]) { valueDigest = Self.digest(value) }

        mutating func set(permissions: Permissions) {
            permissionsDigest = Self.digest(permissions)
        }

        private static let emptyDigest: UInt32 = 1

        private static func digest(_ value: [UInt8]) -> UInt32 {
            guard !value.isEmpty else { return emptyDigest }
            return max(UInt32(truncatingIfNeeded: DirectorySnapshot.hash(value)), emptyDigest + 1)
        }

        private static func digest(_ permissions: Permissions) -> UInt32 {
            max(UInt32(truncatingIfNeeded: permissions.hashValue) & (shapeIsKnown - 1), 1)
        }
    }

    private struct Entry {
        let name: UInt64
        var fingerprint: Fingerprint
    }

    /// By hash.
    private var entries: [Entry] = []
    /// Each followed by a zero, as the store lists them; among them some that are gone.
    private var names: [UInt8]
    private var nameCount: Int

    /// - Parameter list: names, each followed by a zero.
    init(names list: [UInt8]) {
        names = list
        nameCount = list.count { $0 == 0 }
        entries.reserveCapacity(nameCount)
        for name in list.split(separator: 0) {
            entries.append(Entry(name: Self.hash(name), fingerprint: .unknown))
        }
        entries.sort { $0.name < $1.name }
    }

    /// What is remembered of a child; nil if it is not there.
    subscript(name: String) -> Fingerprint? {
        get {
            let (index, isThere) = find(Self.hash(name.utf8))
            return isThere ? entries[index].fingerprint : nil
        }
        set {
            let hash = Self.hash(name.utf8)
            let (index, isThere) = find(hash)
            switch (isThere, newValue) {
            case (true, let fingerprint?): entries[index].fingerprint = fingerprint
            case (true, nil): entries.remove(at: index)
            case (false, let fingerprint?):
                entries.insert(Entry(name: hash, fingerprint: fingerprint), at: index)
                append(name)
            case (false, nil): break
            }
        }
    }

    /// Whether something is known of all children.
    var isComplete: Bool { entries.allSatisfy(\.fingerprint.isKnown) }

    /// The names of those children of which nothing else is known.
    var unknownNames: [String] {
        guard !isComplete else { return [] }
        return childNames.filter { self[$0]?.isKnown == false }
    }

    /// The names of the children.
    var childNames: [String] {
        var seen: Set<UInt64> = []
        var found: [String] = []
        for name in names.split(separator: 0) {
            let hash = Self.hash(name)
            if find(hash).isThere, seen.insert(hash).inserted {
                found.append(String(decoding: name, as: UTF8.self))
            }
        }
        return found
    }

    private func append(_ name: String) {
        // Names of children that come and go would pile up.
        if nameCount > 2 * entries.count + 16 {
            let kept = childNames
            names = kept.flatMap { Array($0.utf8) + [0] }
            nameCount = kept.count
            if kept.contains(name) { return }
        }
        names += Array(name.utf8) + [0]
        nameCount += 1
    }

    private func find(_ hash: UInt64) -> (index: Int, isThere: Bool) {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].name < hash { low = middle + 1 } else { high = middle }
        }
        return (low, low < entries.count && entries[low].name == hash)
    }

    /// Another at each start of the process, so that nobody can choose names that collide.
    private static func hash(_ bytes: some Collection<UInt8>) -> UInt64 {
        var hasher = Hasher()
        let isDone: Void? = bytes.withContiguousStorageIfAvailable { bytes in
            hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
        }
        if isDone == nil { Array(bytes).withUnsafeBytes { hasher.combine(bytes: $0) } }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}
