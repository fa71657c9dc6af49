import XenstoreProtocol

/// What a directory held at one moment.
struct Listing {
    /// The names of the children, and `.value` where there is one.
    var names: [String]
    /// The directory itself.
    let stat: KeyStat
    /// What was asked of children in the same round trip.
    let children: [String: ChildAnswer]
}

/// What the store is asked about a child of a directory, beside its name.
struct ChildQuery {
    private enum Subject {
        /// DIRECTORY alone.
        case shape
        case stat(StatQuery)
    }

    let name: String
    let path: XenstorePath
    private let subject: Subject
    private let version: ChangeLog.Version

    /// Asks whether it has children, and for the names of these.
    init(shapeOf name: String, _ path: XenstorePath, at version: ChangeLog.Version) {
        self.init(name, path, .shape, version)
    }

    /// Asks for all that a stat(2) or an open(2) of it needs.
    init(statOf name: String, _ query: StatQuery, at version: ChangeLog.Version) {
        self.init(name, query.path, .stat(query), version)
    }

    private init(
        _ name: String,
        _ path: XenstorePath,
        _ subject: Subject,
        _ version: ChangeLog.Version
    ) {
        self.name = name
        self.path = path
        self.subject = subject
        self.version = version
    }

    var requests: [Request] {
        switch subject {
        case .shape: [.directory(path)]
        case .stat(let query): query.requests
        }
    }

    /// Takes the answers to ``requests``.
    ///
    /// - Parameter time: when they came.
    func answer(
        _ answers: ArraySlice<Result<[UInt8], XenstoreError>>,
        at time: Duration
    ) -> ChildAnswer {
        switch subject {
        case .shape:
            return ChildAnswer(names: answers.first, version: version)
        case .stat(let query):
            let stat = Result { () throws(XenstoreError) in
                CachedStat(
                    stat: try query.stat(answers),
                    given: time,
                    lifetime: FilesystemLimits.readaheadLifetime
                )
            }
            let names = query.asksForChildren ? answers.dropFirst().first : nil
            return ChildAnswer(names: names, stat: stat, version: version)
        }
    }
}

/// What the store has said of a child of a directory.
struct ChildAnswer {
    /// The answer to DIRECTORY; nil where the watch keeps the shape.
    var names: Result<[UInt8], XenstoreError>?
    /// Nil where the shape alone was asked for.
    var stat: Result<CachedStat, XenstoreError>?
    /// Of the moment at which the store was asked.
    let version: ChangeLog.Version
}
