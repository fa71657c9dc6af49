import Glibc
import SystemPackage
import XenstoreProtocol
import XenstoreStore

/// A file that a store's reports are appended to, one line each, for its owner alone.
final class ReportFile {
    /// How long opening may take; nobody is served meanwhile.
    private static let patience = Duration.milliseconds(500)

    private let descriptor: FileDescriptor

    /// - Parameter path: an absolute one: a daemon has no directory that its clients know.
    /// - Returns: nil where the file cannot be had, or is no regular file.
    init?(appendingTo path: String) {
        guard path.hasPrefix("/"),
            let descriptor = BoundedOpen.run(
                within: Self.patience,
                after: { Self.ask(directoryOf: path) },
                { Self.open(path) }
            )
        else { return nil }
        self.descriptor = descriptor
    }

    /// Asks the filesystem that the file is in, whatever the kernel knows of it already.
    private static func ask(directoryOf path: String) {
        guard let slash = path.lastIndex(of: "/") else { return }
        var status = statvfs()
        // An error is the opening's, too.
        _ = statvfs(String(path[...slash]), &status)
    }

    private static func open(_ path: String) -> FileDescriptor? {
        let descriptor = try? FileDescriptor.open(
            FilePath(path),
            .writeOnly,
            options: [.append, .create, .closeOnExec, .nonBlocking],
            permissions: .ownerReadWrite
        )
        guard let descriptor else { return nil }
        var status = stat()
        guard fstat(descriptor.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            try? descriptor.close()
            return nil
        }
        return descriptor
    }

    deinit {
        try? descriptor.close()
    }

    func append(_ line: String) {
        // A full disk must not end the store; whoever reads the log misses a line.
        _ = try? descriptor.writeAll("\(line.printable)\n".utf8)
    }
}

extension EmbeddedStore {
    /// Where the store's reports go: lines for whoever runs it, and files that CONTROL names.
    func report(to output: @escaping (String) -> Void) {
        host.store.report = output
        host.store.openReport = { path in
            ReportFile(appendingTo: path).map { file in { file.append($0) } }
        }
    }
}
