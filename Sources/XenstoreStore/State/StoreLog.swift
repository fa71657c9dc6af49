import XenstoreProtocol

/// The lines for who runs the store, and the log of its messages.
final class StoreLog {
    /// Takes a line: what CONTROL `print`, `memreport` and `log` bring, and which domains are above
    /// their soft quotas. Nil at first: then they go nowhere.
    var report: ((String) -> Void)?
    /// Opens a file to append lines to. Nil, or a result of nil, if there is none to be had.
    var openReport: ((_ path: String) -> ((String) -> Void)?)?
    /// Takes the log instead, once `logfile` has named a file.
    private var file: ((String) -> Void)?
    /// Whether messages are logged.
    private(set) var isOn = false

    /// Bytes of a payload that a line of the log shows.
    private static let loggedBytes = 200

    /// Where the log goes: the file that was named last, or else ``report``.
    var place: ((String) -> Void)? { file ?? report }

    /// Switches the log of messages on or off.
    func turn(on isOn: Bool) { self.isOn = isOn }

    /// Opens a file to append lines to.
    ///
    /// - Throws: ``StoreErrorCode/invalid`` if it cannot be opened.
    func opened(_ path: String) throws(StoreErrorCode) -> (String) -> Void {
        guard let place = openReport?(path) else { throw .invalid }
        return place
    }

    /// Logs to a file from now on.
    ///
    /// - Throws: ``StoreErrorCode/invalid`` if it cannot be opened; then nothing changes.
    func moveToFile(_ path: String) throws(StoreErrorCode) {
        file = try opened(path)
        isOn = true
    }

    /// Logs a message, if the log is on.
    func log(_ direction: String, _ message: Message, _ id: ConnectionID) {
        guard isOn, let place else { return }
        let type = message.type.map { "\($0)" } ?? "type \(message.rawType)"
        // What a client wrote must not move the cursor of a terminal that shows the log.
        let payload = String(
            decoding: message.payload.prefix(Self.loggedBytes).map {
                (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: ".")
            },
            as: UTF8.self
        )
        place(
            "\(direction) \(id): \(type) \(message.requestID.rawValue) in "
                + "\(message.transactionID.rawValue): \(payload)"
        )
    }
}
