import SystemPackage
import XenstoreProtocol

extension StoreErrorCode {
    /// The protocol's name for an error of write(2) on the kernel's device.
    init(deviceError error: Errno) {
        self =
            switch error {
            case .noMemory: .noMemory
            case .invalidArgument: .invalid
            case .argListTooLong: .tooBig
            case .noSuchFileOrDirectory, .noSuchProcess: .noEntry
            case .permissionDenied: .accessDenied
            case .notPermitted: .notPermitted
            case .fileExists: .exists
            case .noSpace: .noSpace
            case .resourceBusy: .busy
            default: .ioError
            }
    }
}
