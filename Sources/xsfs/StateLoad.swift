import XenstoreStore

/// Reads a state file into a store.
struct StateLoad {
    /// Where the file makes no sense, and whether the rest can be a write that was not finished.
    struct Problem: Error {
        let offset: Int
        let damage: StateForm.Damage
    }

    let form: StateForm
    private let bytes: [UInt8]
    private let store: Store
    /// Where the snapshot ends; nil before that was read.
    private(set) var snapshotEnd: Int?
    /// Where the last whole record ends.
    private(set) var end: Int
    /// Changes that repairing could not make.
    private(set) var lostChanges = 0

    init(_ form: StateForm, _ bytes: [UInt8], into store: Store) {
        self.form = form
        self.bytes = bytes
        self.store = store
        end = form.headerSize
    }

    /// Reads all.
    ///
    /// - Throws: ``Problem`` for what is no whole record, and for a record that does not follow
    ///   from those before it.
    mutating func readAll() throws(Problem) {
        var start = end
        var record: [UInt8] = []
        while start < bytes.count {
            guard let frame = form.frame(in: bytes, at: start) else {
                let damage = form.damage(in: bytes, at: start)
                // A snapshot takes its name when it is whole.
                throw Problem(offset: start, damage: snapshotEnd == nil ? .inside : damage)
            }
            record += bytes[frame.payload]
            if !frame.isContinued {
                try take(record, from: start, to: frame.end)
                record = []
            }
            start = frame.end
        }
        guard snapshotEnd != nil else { throw Problem(offset: start, damage: .inside) }
        if end < start { throw Problem(offset: end, damage: .torn) }
    }

    private mutating func take(_ record: [UInt8], from start: Int, to end: Int) throws(Problem) {
        if record == StateForm.snapshotEnd {
            snapshotEnd = end
        } else {
            do throws(JournalError) {
                try store.replay(record[...])
            } catch {
                throw Problem(offset: start, damage: .inside)
            }
            // The first form has no mark.
            if form.isFirst { snapshotEnd = snapshotEnd ?? end }
        }
        self.end = end
    }

    /// Reads what is whole behind a place where something is not, and makes of it what can be made.
    mutating func salvage(from offset: Int) {
        var start: Int? = offset
        var record: [UInt8] = []
        while let place = start {
            guard let frame = form.frame(in: bytes, at: place) else {
                record = []
                start = form.nextFrame(in: bytes, after: place)
                continue
            }
            record += bytes[frame.payload]
            if !frame.isContinued {
                if record != StateForm.snapshotEnd { lostChanges += store.salvage(record[...]) }
                record = []
            }
            start = frame.end
        }
    }
}
