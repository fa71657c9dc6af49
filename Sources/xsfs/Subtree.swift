import XenstoreProtocol

/// The key that `-o subtree=` makes the root of a mount.
enum Subtree {
    /// The own domain's directory.
    private static let ownDomain = "."

    /// Finds the key, which must be there.
    ///
    /// - Parameter text: an absolute path, one relative to the own domain, or `.` for that itself.
    /// - Throws: ``CommandError``.
    static func find(
        _ text: String?,
        in access: some XenstoreAccess
    ) async throws -> XenstorePath {
        guard let text, text != "/" else { return .root }
        let path = try await resolve(keyNamed(text), in: access)
        do throws(XenstoreError) {
            _ = try await access.send(.getPermissions(path), in: .none)
        } catch .refused(.accessDenied) {
            // It may be there: what lies below it may be for this domain to read.
        } catch {
            throw CommandError("cannot mount \(path) of the store: \(error)")
        }
        return path
    }

    private static func resolve(
        _ text: String,
        in access: some XenstoreAccess
    ) async throws -> XenstorePath {
        do {
            if text.hasPrefix("/") { return try XenstorePath(text) }
            let own = try await ownPath(in: access)
            return text == ownDomain ? own : try XenstorePath(own.text + "/" + text)
        } catch let error as PathError {
            throw CommandError("mount option 'subtree' needs a key, not '\(text)': \(error)")
        }
    }

    /// Where relative paths begin: the store knows, and tells by what it says of a key that every
    /// domain has.
    private static func ownPath(in access: some XenstoreAccess) async throws -> XenstorePath {
        do throws(XenstoreError) {
            let number = try await access.send(.read(XenstorePath(unchecked: "domid")), in: .none)
            guard let domain = DomainID(decimal: number) else { throw .malformedReply }
            let path = try await access.send(.getDomainPath(domain), in: .none)
            guard let found = try? XenstorePath(bytes: path.prefix { $0 != 0 }) else {
                throw .malformedReply
            }
            return found
        } catch {
            throw CommandError("cannot tell which domain this is, by its key 'domid': \(error)")
        }
    }
}
