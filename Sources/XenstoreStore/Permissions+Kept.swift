import XenstoreProtocol

/// What the daemons make of numbers that are no domain's.
extension Permissions {
    /// C xenstored keeps 32 bits of a number, takes them as signed ones where it tells of them, and
    /// has room for ten characters.
    var asKeptByXenstored: Permissions {
        changingNumbers { number in
            let kept = Int32(truncatingIfNeeded: number)
            return Int64(String(kept).prefix(10))
        } ?? self
    }

    /// oxenstored keeps 63 bits, and takes them as unsigned ones where it tells of them.
    ///
    /// - Returns: nil where a number has more.
    var asKeptByOxenstored: Permissions? {
        changingNumbers { number in
            guard (-(1 << 62)..<(1 << 62)).contains(number) else { return nil }
            return number < 0 ? number &+ Int64.min : number
        }
    }

    private func changingNumbers(_ change: (Int64) -> Int64?) -> Permissions? {
        var changed: [PermissionEntry] = []
        for entry in allEntries {
            guard let number = change(entry.number) else { return nil }
            changed.append(PermissionEntry(number: number, entry.access))
        }
        return Permissions(changed[0], Array(changed.dropFirst()))
    }
}
