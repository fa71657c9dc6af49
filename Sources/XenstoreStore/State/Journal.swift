import XenstoreProtocol

/// The record of what has changed in the store since it was last taken.
final class Journal {
    /// Whether changes are noted. Off at first.
    var isKept = false
    private var encoder = JournalEncoder()

    var isEmpty: Bool { encoder.bytes.isEmpty }

    /// Notes a change, if the journal is kept.
    func note(_ change: JournalEntry) {
        if isKept { encoder.append(change) }
    }

    /// Notes the creation of a node below one of those on the path of the creation before, given
    /// by the bytes of that one's path: in a deep tree paths are long.
    func noteCreation(
        of name: String,
        below length: Int,
        value: [UInt8],
        permissions: Permissions
    ) {
        guard isKept else { return }
        encoder.appendCreation(of: name, below: length, value: value, permissions: permissions)
    }

    /// Takes the record, and begins the next one.
    func takeAll() -> [UInt8] { encoder.takeAll() }
}
