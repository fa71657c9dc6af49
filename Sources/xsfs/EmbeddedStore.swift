import SystemPackage
import XenstoreStore

/// The store inside the process: the sample, what a listing holds, or what a state file kept.
struct EmbeddedStore {
    let host: StoreHost
    /// The file that keeps it, if any.
    let state: StateFile?

    /// - Parameters:
    ///   - file: a listing to begin with instead of the sample.
    ///   - state: a file that keeps the store; where it holds one, that counts, and not `file`.
    ///   - repairing: whether to go on with what is whole in a state file that is damaged.
    ///   - compatibility: the daemon that it behaves like.
    /// - Throws: ``CommandError`` that names the file, and the line that is wrong.
    init(
        loading file: String?,
        keptIn state: String? = nil,
        repairing: Bool = false,
        as compatibility: Compatibility = .xenstored
    ) throws {
        guard let state else {
            host = StoreHost(store: try Self.filled(from: file, compatibility))
            self.state = nil
            return
        }
        let kept = Store(configuration: StoreConfiguration(compatibility: compatibility))
        let stateFile = try StateFile(state, for: kept, repairing: repairing)
        do {
            if stateFile.isNew { kept.become(try Self.filled(from: file, compatibility)) }
            try stateFile.start()
        } catch {
            stateFile.abandon()
            throw error
        }
        host = StoreHost(store: kept)
        host.save = stateFile.save
        self.state = stateFile
    }

    private static func filled(
        from file: String?,
        _ compatibility: Compatibility
    ) throws -> Store {
        guard let file else { return .sample(compatibility) }
        let descriptor: FileDescriptor
        do {
            descriptor = try FileDescriptor.open(FilePath(file), .readOnly)
        } catch {
            throw CommandError("cannot read \(file): \(error)")
        }
        let bytes = try descriptor.closeAfter { try readAll(descriptor, named: file) }
        let store = Store(configuration: StoreConfiguration(compatibility: compatibility))
        do throws(StoreListing.ParseError) {
            store.replaceContents(with: try StoreListing(parsing: bytes))
        } catch {
            throw CommandError("cannot load \(file): \(error)")
        }
        return store
    }
}

/// Reads what is left of a file.
///
/// - Throws: ``CommandError`` that names the file.
func readAll(_ descriptor: FileDescriptor, named path: String) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count: Int
        do {
            count = try buffer.withUnsafeMutableBytes { try descriptor.read(into: $0) }
        } catch {
            throw CommandError("cannot read \(path): \(error)")
        }
        guard count > 0 else { return bytes }
        bytes += buffer[..<count]
    }
}
