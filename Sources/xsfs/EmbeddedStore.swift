import SystemPackage
import XenstoreStore

/// The store inside the process: the sample, or what a file holds.
struct EmbeddedStore {
    let host: StoreHost

    /// - Throws: ``CommandError`` that names the file, and the line that is wrong.
    init(loading file: String?) throws {
        guard let file else {
            host = StoreHost(store: .sample())
            return
        }
        let bytes: [UInt8]
        do {
            bytes = try Self.read(file)
        } catch let error as Errno {
            throw CommandError("cannot read \(file): \(error)")
        }
        let store = Store()
        do throws(StoreListing.ParseError) {
            store.replaceContents(with: try StoreListing(parsing: bytes))
        } catch {
            throw CommandError("cannot load \(file): \(error)")
        }
        host = StoreHost(store: store)
    }

    private static func read(_ file: String) throws -> [UInt8] {
        let descriptor = try FileDescriptor.open(FilePath(file), .readOnly)
        return try descriptor.closeAfter {
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = try buffer.withUnsafeMutableBytes { try descriptor.read(into: $0) }
                guard count > 0 else { return bytes }
                bytes += buffer[..<count]
            }
        }
    }
}
