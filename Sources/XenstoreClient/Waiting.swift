public import XenstoreProtocol

/// What a condition throws that is not met yet: see ``Xenstore/wait(timeout:_:)``.
public struct ConditionNotMet: Error, Hashable, Sendable {
    public init() {}
}

/// What ``Xenstore/wait(until:timeout:)`` waits for.
public indirect enum Condition: Hashable, Sendable {
    /// The key exists.
    case exists(XenstorePath)
    /// The key has this value.
    case value(XenstorePath, [UInt8])
    case not(Condition)
    /// One of them is met. None of none is.
    case any([Condition])
    /// All of them are met. All of none are.
    case all([Condition])

    /// The key does not exist.
    public static func gone(_ path: XenstorePath) -> Condition { .not(.exists(path)) }

    /// The keys that it is about.
    var paths: Set<XenstorePath> {
        switch self {
        case .exists(let path), .value(let path, _): [path]
        case .not(let condition): condition.paths
        case .any(let conditions), .all(let conditions):
            conditions.reduce(into: []) { $0.formUnion($1.paths) }
        }
    }

    /// Whether it is met, by the values of the keys that exist.
    func isMet(_ values: [XenstorePath: [UInt8]]) -> Bool {
        switch self {
        case .exists(let path): values[path] != nil
        case .value(let path, let value): values[path] == value
        case .not(let condition): !condition.isMet(values)
        case .any(let conditions): conditions.contains { $0.isMet(values) }
        case .all(let conditions): conditions.allSatisfy { $0.isMet(values) }
        }
    }
}

extension Xenstore {
    /// Waits until `body` returns, and gives what it returns. `body` throws ``ConditionNotMet``, or
    /// an error whose code is `StoreErrorCode.again`, for what is not so yet; it
    /// is run again when something changes that it has read.
    ///
    /// Nothing is polled: each key that `body` reads or lists has a watch while it waits. `body`
    /// must depend on nothing else.
    ///
    /// - Parameters:
    ///   - timeout: how long; nil for as long as it takes. However short it is, `body` runs once,
    ///     and a store that answers within ``ConnectionConfiguration/stallTimeout`` is heard.
    ///   - body: reads what it depends on, and gives what was waited for.
    /// - Throws: ``ClientError/Reason/timedOut``; or else what `body` throws.
    public func wait<Value>(
        timeout: Duration? = nil,
        _ body: (XenstoreHandle) async throws -> Value
    ) async throws -> Value {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        let dependencies = await Dependencies(self, until: deadline)
        let patience = await onLoop { core in core.configuration.stallTimeout }
        var limit = deadline.map { max($0, .now + patience) }
        while true {
            let handle = XenstoreHandle(client: self, dependencies: dependencies, deadline: limit)
            limit = deadline
            await dependencies.begin()
            do {
                return try await body(handle)
            } catch is ConditionNotMet {
            } catch let error as ClientError where error.code == .again {}
            guard try await dependencies.change() else {
                throw ClientError(.watch, .invalidArgument("the condition reads nothing"))
            }
        }
    }

    /// Waits until a condition is met.
    ///
    /// - Throws: ``ClientError/Reason/timedOut``, or why the store cannot be asked.
    public func wait(
        until condition: Condition,
        timeout: Duration? = nil
    ) async throws(ClientError) {
        let paths = condition.paths.sorted { $0.text < $1.text }
        _ = try await waitTyped(timeout) { (handle) async throws(ClientError) in
            var values: [XenstorePath: [UInt8]] = [:]
            for (path, answer) in zip(paths, try await handle.readMany(paths)) {
                do throws(ClientError) {
                    values[path] = try answer.get()
                } catch {
                    guard error.code == .noEntry else { throw error }
                }
            }
            return condition.isMet(values) ? () : nil
        }
    }

    /// Waits until a key exists.
    public func wait(
        untilExists path: some XenstorePathConvertible,
        timeout: Duration? = nil
    ) async throws(ClientError) {
        try await wait(until: .exists(try path.checked(for: .read)), timeout: timeout)
    }

    /// Waits until a key does not exist.
    public func wait(
        untilGone path: some XenstorePathConvertible,
        timeout: Duration? = nil
    ) async throws(ClientError) {
        try await wait(until: .gone(try path.checked(for: .read)), timeout: timeout)
    }

    /// Waits until a key has a value.
    public func wait(
        for value: some XenstoreValueConvertible,
        at path: some XenstorePathConvertible,
        timeout: Duration? = nil
    ) async throws(ClientError) {
        let path = try path.checked(for: .read)
        try await wait(until: .value(path, value.xenstoreValue), timeout: timeout)
    }

    /// Waits until a key has a value that is accepted, and gives it. A key that is missing has
    /// none.
    public func wait(
        forValueAt path: some XenstorePathConvertible,
        timeout: Duration? = nil,
        where isAccepted: @Sendable ([UInt8]) -> Bool = { _ in true }
    ) async throws(ClientError) -> [UInt8] {
        let path = try path.checked(for: .read)
        return try await waitTyped(timeout) { (handle) async throws(ClientError) in
            do throws(ClientError) {
                let value = try await handle.read(path)
                return isAccepted(value) ? value : nil
            } catch {
                guard error.code == .noEntry else { throw error }
                return nil
            }
        }
    }

    /// Evaluates `body` until it is not nil.
    private func waitTyped<Value>(
        _ timeout: Duration?,
        _ body: (XenstoreHandle) async throws(ClientError) -> Value?
    ) async throws(ClientError) -> Value {
        do {
            return try await wait(timeout: timeout) { handle in
                guard let value = try await body(handle) else { throw ConditionNotMet() }
                return value
            }
        } catch let error as ClientError {
            throw error
        } catch {
            preconditionFailure("a condition of ours throws ClientError alone: \(error)")
        }
    }
}
