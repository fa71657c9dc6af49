/// What a thread does with the directories that it goes through: what it has wanted of the last it
/// wants of the next one, most likely.
struct Walk {
    private enum DirectoryUse {
        case unknown
        /// Their attributes are asked for, as by `ls -l`.
        case statted
        /// They are opened at once after that, as by `grep -r` and `find`.
        case opened
    }

    /// A listing that was asked for with the attributes of its directory.
    private struct Ahead {
        let directory: UInt64
        let listing: Listing
        let answer: CachedStat
    }

    /// Whether it has wanted more of files than their types.
    private(set) var wantsFiles = false
    private var use = DirectoryUse.unknown
    private var lastStatted: UInt64?
    private var lastOpened: UInt64?
    /// When it was given names last.
    private(set) var listed: Duration?
    private var ahead: Ahead?

    /// Whether it asks for the attributes of directories without opening them.
    var wantsDirectories: Bool { use == .statted }

    /// Whether it opens the directories of which it asks for the attributes.
    var opensDirectories: Bool { use == .opened }

    /// It was given names of a directory.
    mutating func list(at time: Duration) { listed = time }

    /// It wants more of a file in a listing than the type.
    mutating func useFile() { wantsFiles = true }

    /// It asks for the attributes of a directory in a listing.
    mutating func stat(_ directory: UInt64) {
        guard directory != lastOpened else { return }
        if let lastStatted, lastStatted != directory { use = .statted }
        lastStatted = directory
    }

    mutating func open(_ directory: UInt64) {
        if lastStatted == directory { use = .opened }
        (lastStatted, lastOpened) = (nil, directory)
    }

    /// It is through with a directory. What was asked for with the names and not wanted is not
    /// asked for again, until a file is wanted.
    mutating func close(_ window: ReadaheadWindow) {
        let files = window.files
        if files.asked > 0, files.used * 2 < files.asked { wantsFiles = false }
    }

    // MARK: A listing ahead

    mutating func keep(_ listing: Listing, of directory: UInt64, _ answer: CachedStat) {
        ahead = Ahead(directory: directory, listing: listing, answer: answer)
    }

    /// The listing of a directory that was asked for with its attributes; it serves once.
    mutating func takeListing(of directory: UInt64) -> (listing: Listing, answer: CachedStat)? {
        defer { ahead = nil }
        guard let ahead, ahead.directory == directory else { return nil }
        return (ahead.listing, ahead.answer)
    }
}
